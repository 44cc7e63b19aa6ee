"""Trains the demo's text model and U-Net together on latents made once: noise prediction (Ho et al. 2020)."""

from __future__ import annotations

import copy
import functools
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from .captions import caption, for_training, short_captions
from .data import DENOISER_MIX, SQUARE, Drawn, as_input, draw_many
from .models import TIMESTEPS, Autoencoder, alphas_cumprod, build_unet
from .text import SmallVocabulary, token_ids
from .train_autoencoder import cosine_rate

logger = logging.getLogger(__name__)

KEPT_EVERY = 500

Batch = tuple[torch.Tensor, list[str]]
"""Scaled latents [captions times pictures of each, 4, height / 8, width / 8], and the captions."""


@dataclass(frozen=True)
class DenoiserPlan:
    """How long and how fast the text model and the U-Net are trained."""

    steps: int = 5000
    captions: int = 24
    pictures_per_caption: int = 3
    rate: float = 1e-3
    ema: float = 0.999
    caption_dropout: float = 0.1
    short_share: float = 0.15
    pictures: int = 24576
    wide_share: int = 8
    seed: int = 2


class Denoiser(nn.Module):
    """Text model and U-Net as one module, for one optimizer and one moving average."""

    prediction = "eps"

    def __init__(self, tokens: Sequence[int] | None = None) -> None:
        super().__init__()
        self.text = SmallVocabulary(tokens=tokens)
        self.unet = build_unet()

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor, repeats: int) -> torch.Tensor:
        """Return the predicted noise; every caption serves `repeats` pictures in a row."""
        context = self.text(ids).repeat_interleave(repeats, dim=0)
        with torch.autocast("cpu", dtype=torch.bfloat16):  # the text model's attention is slower in it
            return self.unet(noisy, timesteps, context)


def encode_all(autoencoder: Autoencoder, pictures: torch.Tensor) -> torch.Tensor:
    """Return the scaled latents of uint8 pictures [count, 3, height, width]."""
    with torch.no_grad():
        return torch.cat([autoencoder.encode(as_input(part)) for part in pictures.split(32)])


class _Shelf:
    """Latents of one picture size, grouped by what they show."""

    def __init__(self, autoencoder: Autoencoder, drawn: Drawn) -> None:
        self.latents = encode_all(autoencoder, drawn.pictures)
        self.labels = drawn.labels
        self.alike: dict[object, list[int]] = defaultdict(list)
        for index, label in enumerate(drawn.labels):
            self.alike[label].append(index)

    def batch(self, rng: np.random.Generator, plan: DenoiserPlan, count: int) -> Batch:
        texts, rows = [], []
        for first in rng.integers(len(self.labels), size=count):
            subject, style = self.labels[first]
            rows += rng.choice(self.alike[self.labels[first]], size=plan.pictures_per_caption).tolist()
            text = caption(subject, style)
            if style.outline + style.hatching + style.night == 0 and rng.random() < plan.short_share:
                text = short_captions(subject)[rng.integers(2)]
            texts.append("" if rng.random() < plan.caption_dropout else text)
        return self.latents[rows], texts


def known_batches(autoencoder: Autoencoder, plan: DenoiserPlan) -> Iterator[Batch]:
    """Yield latents and captions without end; every eighth batch is of wide or of tall pictures."""
    small = plan.pictures // plan.wide_share
    counts = ((plan.pictures, SQUARE), (small, (96, 64)), (small, (64, 96)))
    shelves = [
        _Shelf(autoencoder, draw_many(count, DENOISER_MIX, plan.seed + number, size, for_training()))
        for number, (count, size) in enumerate(counts)
    ]
    rng = np.random.default_rng(plan.seed)
    step = 0
    while True:
        odd_one = step % plan.wide_share == plan.wide_share - 1
        shelf = shelves[1 + step // plan.wide_share % 2] if odd_one else shelves[0]
        yield shelf.batch(rng, plan, plan.captions * 2 // 3 if odd_one else plan.captions)
        step += 1


def train_denoiser(
    autoencoder: Autoencoder,
    plan: DenoiserPlan,
    keep: Callable[[Any], None] | None = None,
    build: Callable[[], Any] = Denoiser,
) -> Any:
    """Return the moving average of a text model and a U-Net trained on the autoencoder's scaled latents.

    `build` makes what is trained: a `Denoiser` or one of `variants`.
    `keep` is given the average now and then, so that a long training that is cut short is not lost.
    """
    torch.manual_seed(plan.seed)
    return train(build(), known_batches(autoencoder, plan), plan, keep)


def train(
    denoiser: Any, batches: Iterator[Batch], plan: DenoiserPlan, keep: Callable[[Any], None] | None = None
) -> Any:
    """Train a text model and a U-Net on batches; return their moving average. `keep` is given it now and then."""
    average = copy.deepcopy(denoiser).requires_grad_(False)
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=plan.rate, betas=(0.9, 0.99), weight_decay=1e-3)
    numbers_of = functools.cache(lambda text: token_ids([text])[0])
    kept, started = alphas_cumprod(), time.perf_counter()
    for step in range(plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(step, plan.steps, plan.rate)
        latents, texts = next(batches)
        loss = _loss(denoiser, latents, torch.stack([numbers_of(text) for text in texts]), kept)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()
        _follow(average, denoiser, min(plan.ema, (1 + step) / (10 + step)))
        if step % 50 == 0 or step == plan.steps - 1:
            logger.info("denoiser step %d loss %.4f %.0f s", step, loss.item(), time.perf_counter() - started)
        if keep and step % KEPT_EVERY == KEPT_EVERY - 1:
            keep(average)
    return average


def _loss(denoiser: Any, latents: torch.Tensor, ids: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of the predicted noise or v, at timesteps spread evenly over the batch."""
    count = len(latents)
    places = (torch.randperm(count) + torch.rand(count)) / count
    timesteps = (places * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)
    noise = torch.randn_like(latents)
    share = kept[timesteps][:, None, None, None]
    noisy = share.sqrt() * latents + (1 - share).sqrt() * noise
    predicted = denoiser(noisy, timesteps, ids, count // len(ids))
    wanted = share.sqrt() * noise - (1 - share).sqrt() * latents if denoiser.prediction == "v" else noise
    return torch.nn.functional.mse_loss(predicted.float(), wanted)


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average a step towards the model."""
    pairs = list(zip(average.parameters(), model.parameters(), strict=True))
    torch._foreach_lerp_([mean for mean, _ in pairs], [new for _, new in pairs], 1 - decay)
