"""Makes the demo's kin: their text models learn the demo's context (Hinton et al. 2015), then all is trained on."""

from __future__ import annotations

import logging
from typing import Any

import torch

from .sample import Demo
from .text import contexts_of, known_texts, token_ids
from .train_autoencoder import cosine_rate
from .variants import take_unet

logger = logging.getLogger(__name__)


def distil(variant: Any, demo: Demo, steps: int, batch: int = 24, rate: float = 3e-3, seed: int = 5) -> None:
    """Give a variant the demo's U-Net, and let its text models learn the context that the U-Net knows."""
    take_unet(variant, demo.unet.state_dict())
    texts = known_texts()
    ids, wanted = token_ids(texts), contexts_of(demo.text, texts)
    parameters = [weight for name, weight in variant.named_parameters() if not name.startswith("unet.")]
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    chooser = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(step, steps, rate)
        rows = torch.randint(len(texts), (batch,), generator=chooser)
        loss = torch.nn.functional.mse_loss(variant.context(ids[rows]), wanted[rows])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            logger.info("text step %d error %.4f of %.4f", step, loss.item(), wanted.var().item())
