"""What no network can pass: what the autoencoder holds of a style, and what a U-Net learns that is trained whole."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.data.encoding import encode
from hypernetwork_workbench.hypernetworks.ports import Ports
from hypernetwork_workbench.hypernetworks.train import make_plan
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.trainer import make_trainer
from torch.nn import functional

from .quality import Judge, Quality

_RATE, _STEPS = 5e-4, 300


def through_autoencoder(judge: Judge) -> Quality:
    """Return the quality of true pictures of the subjects in the style, as the autoencoder gives them back."""
    return judge.look(judge.given_back())


def whole_unet(job: Job, here: Ports, judge: Judge, model: Any, steps: int = _STEPS) -> Quality:
    """Return the quality after all weights of the U-Net were trained on a job's pictures; they are as before then."""
    plan = make_plan(job, here)
    training = encode(plan.training, here.encoder, here.progress)
    trainer = make_trainer(plan, here.denoiser, training, make_state(job, plan.network, here.denoiser))
    unet = model.model.diffusion_model
    before = copy.deepcopy(unet.state_dict())
    wanted = [parameter.requires_grad for parameter in unet.parameters()]
    optimizer = torch.optim.AdamW(unet.requires_grad_(True).parameters(), lr=_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    try:
        for batches in trainer.batches(0, steps):
            for batch in trainer.noisy_batches(batches):
                found = unet(batch.noisy, batch.timesteps, context=batch.conditioning.text)
                functional.mse_loss(found, batch.target).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
        with torch.no_grad():
            return judge.look(judge.pictures())
    finally:
        unet.load_state_dict(before)
        for parameter, is_wanted in zip(unet.parameters(), wanted, strict=True):
            parameter.requires_grad_(is_wanted)
