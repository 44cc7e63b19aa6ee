"""The loop: batches -> loss -> optimizer, one optimizer step at a time. All else is a callback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from ..data.batches import step_groups
from ..data.latents import EncodedDataset
from ..ports import Denoiser
from ..randomness import derived_seed, seeded
from ..settings import Job
from .guard import Guard
from .loss import diffusion_loss
from .noise import NoiseProcess, NoisyBatch
from .precision import clip
from .schedules import Schedule, StepSchedule
from .state import Learner


@dataclass(frozen=True)
class StepRecord:
    """What one optimizer step did.

    Attributes:
        step: optimizer steps done in this run, 1 after the first.
        epoch: the pass over the dataset it belongs to, from 1.
        loss: mean over the pictures of the step.
        rate: learning rate it was taken with.
        pictures: how many pictures it saw.
        gradient_norm: before clipping.
        skipped: whether it was left out because loss or gradient were no finite numbers.
    """

    step: int
    epoch: int
    loss: float
    rate: float
    pictures: int
    gradient_norm: float
    skipped: bool = False


class Callback(Protocol):
    """Something that watches the run. Returns True to end it after this step."""

    def after_step(self, record: StepRecord) -> bool | None:
        """Called after every optimizer step."""


@dataclass
class Trainer:
    """The parts of a run that a step needs."""

    job: Job
    data: EncodedDataset
    denoiser: Denoiser
    learner: Learner
    schedule: Schedule
    noise: NoiseProcess
    clip_limits: StepSchedule
    guard: Guard

    def run(self, start: int, end: int, callbacks: Sequence[Callback]) -> None:
        """Takes the optimizer steps from `start` up to `end`, or fewer if a callback ends the run.

        Raises:
            NonFiniteLossError: loss or gradient stay without a finite number whatever is tried.
        """
        settings = self.job
        groups = step_groups(self.data.dataset.kinds, settings.train.gradient_accumulation, settings.train.seed, start)
        with self.denoiser.training(self.learner.network):
            for step, (epoch, group) in enumerate(islice(groups, end - start), start):
                record = self.step(step, epoch, group)
                endings = [callback.after_step(record) for callback in callbacks]
                if any(endings):
                    return

    def step(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> StepRecord:
        """One optimizer step over the batches of `group`; every picture weighs the same."""
        learner, optimizer, precision = self.learner, self.learner.optimizer, self.learner.precision
        rate = self.schedule.rate(step) * learner.rate_factor
        for parameters in optimizer.param_groups:
            parameters["lr"] = rate
        with seeded(derived_seed(self.job.train.seed, "step", step), self.denoiser.device):
            loss = self.accumulate(step, epoch, group)
            precision.unscale(optimizer)
            norm = clip(list(learner.network.parameters()), self.job.optimizer.clip, self.clip_limits.rate(step))
            is_loss_good, is_gradient_good = torch.stack([loss, norm]).isfinite().tolist()
            if is_loss_good and (is_gradient_good or precision.is_searching_scale):
                precision.step(optimizer)
            else:
                precision.skip()
        optimizer.zero_grad(set_to_none=True)
        is_good = is_loss_good and is_gradient_good
        if is_good:
            if learner.average:
                learner.average.update(learner.network)
            self.guard.after_good_step()
        elif not (is_loss_good and precision.is_searching_scale):
            self.guard.after_bad_step(step)
        return StepRecord(
            step + 1, epoch + 1, loss.item(), rate, sum(map(len, group)), norm.item(), skipped=not is_good
        )

    def accumulate(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> Tensor:
        """Adds up the gradients of the batches of `group`; gives the mean loss over their pictures, a scalar."""
        pictures = sum(map(len, group))
        losses = []
        for batch in self.noisy_batches(step, epoch, group):
            with self.learner.precision.autocast():
                part = diffusion_loss(self.denoiser, batch, self.job.loss) * (len(batch.noisy) / pictures)
            self.learner.precision.backward(part)
            losses.append(part.detach())
        return torch.stack(losses).sum()

    def noisy_batches(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> Iterator[NoisyBatch]:
        """The micro-batches of a step with their noise; each draw depends on seed, step and place alone."""
        device, seed = self.denoiser.device, self.job.train.seed
        for number, indices in enumerate(group):
            generator = torch.Generator().manual_seed(derived_seed(seed, "noise", step, number))
            batch = self.data.batch(indices, epoch)
            noisy = self.noise.draw(batch.latents.to(device), batch.conditioning.to(device), step, generator)
            yield noisy if batch.weights is None else replace(noisy, weights=batch.weights.to(device))
