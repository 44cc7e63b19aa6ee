"""The loop: batches -> loss -> optimizer, one optimizer step at a time. All else is a callback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from ..base.randomness import derived_seed, seeded
from ..data.batches import step_groups
from ..data.latents import EncodedDataset
from ..kernels.devices import to_device
from ..ports import Computing, Denoiser
from .loss import diffusion_loss
from .noise import NoiseProcess, NoisyBatch
from .optim.precision import clip, leaves_out_on_device
from .optim.schedules import Schedule, StepSchedule
from .rollback import Guard
from .settings.job import Job
from .state import TrainState
from .tracking.metrics import Callback, Readings, StepRecord, Taken


@dataclass
class Trainer:
    """The parts of a run that a step needs."""

    job: Job
    data: EncodedDataset
    denoiser: Denoiser
    state: TrainState
    schedule: Schedule
    noise: NoiseProcess
    clip_limits: StepSchedule
    guard: Guard
    computing: Computing

    def __post_init__(self) -> None:
        optimizer, device = self.state.optimizer, self.denoiser.device
        #: Whether steps leave their outcome on the device, to be read a few at a time.
        self.reads_later = device.type == "cuda" and leaves_out_on_device(optimizer) and not self.state.average
        #: Optimizer steps done in this run, read or not.
        self.done = 0

    def run(self, start: int, end: int, callbacks: Sequence[Callback]) -> None:
        """Take the optimizer steps from `start` up to `end`, or fewer if a callback ends the run.

        Raises:
            NonFiniteLossError: loss or gradient stay without a finite number whatever is tried.
        """
        settings = self.job
        groups = step_groups(self.data.dataset.kinds, settings.train.gradient_accumulation, settings.train.seed, start)
        readings = Readings(self.settle, callbacks, end, at_once=not self.reads_later)
        with self.denoiser.training(self.state.network, self.computing):
            for step, (epoch, group) in enumerate(islice(groups, end - start), start):
                if readings.add(self.step(step, epoch, group)):
                    return

    def step(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> Taken:
        """One optimizer step over the batches of `group`; every picture weighs the same.

        Where the optimizer leaves out a bad step by itself nothing here waits for the device.
        """
        state, optimizer, precision = self.state, self.state.optimizer, self.state.precision
        rate = self.schedule.rate(step) * state.rate_factor
        for parameters in optimizer.param_groups:
            parameters["lr"] = rate
        with seeded(derived_seed(self.job.train.seed, "step", step), self.denoiser.device):
            loss = self.accumulate(step, epoch, group)
            precision.unscale(optimizer)
            norm = clip(list(state.network.parameters()), self.job.optimizer.clip, self.clip_limits.rate(step))
            taken = Taken(step, epoch, rate, sum(map(len, group)), torch.stack([loss, norm.to(loss.device)]))
            if self.reads_later:
                precision.step_where(optimizer, taken.outcome.isfinite().all())
            else:
                taken = taken.read()
                if taken.is_loss_good and (taken.is_gradient_good or precision.is_searching_scale):
                    precision.step(optimizer)
                else:
                    precision.skip()
        optimizer.zero_grad(set_to_none=True)
        if state.average and taken.is_good:
            state.average.update(state.network)
        self.done = step + 1
        return taken

    def settle(self, taken: Taken) -> StepRecord:
        """Tell the guard how a step went, which may roll back; gives the record of it.

        Raises:
            NonFiniteLossError: rolling back does not help any more.
        """
        taken = taken.read()
        if taken.is_good:
            self.guard.after_good_step()
        elif not (taken.is_loss_good and self.state.precision.is_searching_scale):
            self.guard.after_bad_step(taken.step)
        return taken.record()

    def accumulate(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> Tensor:
        """Add up the gradients of the batches of `group`; gives the mean loss over their pictures, a scalar."""
        pictures = sum(map(len, group))
        losses = []
        for batch in self.noisy_batches(step, epoch, group):
            with self.state.precision.autocast():
                part = diffusion_loss(self.denoiser, batch, self.job.loss) * (len(batch.noisy) / pictures)
            self.state.precision.backward(part)
            losses.append(part.detach())
        return torch.stack(losses).sum()

    def noisy_batches(self, step: int, epoch: int, group: list[tuple[int, ...]]) -> Iterator[NoisyBatch]:
        """Return the micro-batches of a step with their noise; each draw depends on seed, step and place alone."""
        device, seed = self.denoiser.device, self.job.train.seed
        for number, indices in enumerate(group):
            generator = torch.Generator().manual_seed(derived_seed(seed, "noise", step, number))
            batch = self.data.batch(indices, epoch)
            latents, conditioning = to_device(batch.latents, device), to_device(batch.conditioning, device)
            noisy = self.noise.draw(latents, conditioning, step, generator)
            yield noisy if batch.weights is None else replace(noisy, weights=to_device(batch.weights, device))
