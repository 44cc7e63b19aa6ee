"""The loop: batches -> loss -> optimizer, one optimizer step at a time. All else is a callback."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ..data.batches import step_groups
from ..data.latents import EncodedDataset
from ..errors import NonFiniteLossError
from ..network import Hypernetwork
from ..ports import Denoiser
from ..randomness import derived_seed, seeded
from ..settings import Job
from .loss import diffusion_loss
from .noise import NoisyBatch, add_noise
from .schedules import Schedule


@dataclass(frozen=True)
class StepRecord:
    """What one optimizer step did.

    Attributes:
        step: optimizer steps done in this run, 1 after the first.
        epoch: the pass over the dataset it belongs to, from 0.
        loss: mean over the pictures of the step.
        rate: learning rate it was taken with.
        pictures: how many pictures it saw.
        gradient_norm: before clipping.
    """

    step: int
    epoch: int
    loss: float
    rate: float
    pictures: int
    gradient_norm: float


class Callback(Protocol):
    """Something that watches the run. Returns True to end it after this step."""

    def after_step(self, record: StepRecord) -> bool | None:
        """Called after every optimizer step."""


@dataclass
class Trainer:
    """The parts of a run that a step needs."""

    job: Job
    data: EncodedDataset
    network: Hypernetwork
    denoiser: Denoiser
    optimizer: torch.optim.Optimizer
    schedule: Schedule

    def run(self, steps: int, callbacks: Sequence[Callback]) -> None:
        """Takes `steps` optimizer steps, or fewer if a callback ends the run.

        Raises:
            NonFiniteLossError: the loss or the gradient of a step is no finite number; the weights are those before it.
        """
        settings = self.job
        groups = step_groups(
            len(self.data), settings.data.batch_size, settings.train.gradient_accumulation, settings.train.seed
        )
        with self.denoiser.training(self.network):
            for step, (epoch, group) in zip(range(steps), groups, strict=False):
                record = self.step(step, epoch, group)
                endings = [callback.after_step(record) for callback in callbacks]
                if any(endings):
                    return

    def step(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> StepRecord:
        """One optimizer step over the batches of `group`; every picture weighs the same."""
        pictures = sum(map(len, group))
        rate = self.schedule.rate(step)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rate
        loss = 0.0
        for number, batch in enumerate(self.noisy_batches(step, group)):
            share = len(batch.noisy) / pictures
            with seeded(derived_seed(self.job.train.seed, "dropout", step, number), self.denoiser.device):
                part = diffusion_loss(self.denoiser, batch, self.job.loss) * share
            part.backward()
            loss += part.item()
        norm = self.gradient_norm()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.optimizer.zero_grad(set_to_none=True)
            raise NonFiniteLossError(
                f"step {step + 1}: the loss or its gradient is no finite number; lower the learning rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return StepRecord(step + 1, epoch, loss, rate, pictures, norm)

    def noisy_batches(self, step: int, group: list[tuple[int, ...]]) -> Iterator[NoisyBatch]:
        """The micro-batches of a step with their noise; each draw depends on seed, step and place alone."""
        device, seed = self.denoiser.device, self.job.train.seed
        for number, indices in enumerate(group):
            generator = torch.Generator().manual_seed(derived_seed(seed, "noise", step, number))
            chosen = list(indices)
            dropped = torch.rand(len(chosen), generator=generator) < self.job.data.caption_dropout
            conditioning = self.data.conditionings[chosen]
            conditioning = torch.where(dropped.view(-1, 1, 1).to(conditioning.device), self.data.empty, conditioning)
            yield add_noise(
                self.data.latents[chosen].to(device),
                conditioning.to(device),
                self.denoiser.alphas_cumprod,
                self.denoiser.prediction,
                generator,
            )

    def gradient_norm(self) -> float:
        """Norm of the gradient of all weights; clips it where the settings ask for that."""
        limit = self.job.optimizer.clip_norm or math.inf
        return torch.nn.utils.clip_grad_norm_(list(self.network.parameters()), limit).item()
