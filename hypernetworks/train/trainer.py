"""The optimizer steps: gradients of the batches, the step along them, and the roll-back after bad ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from ..base.errors import NonFiniteLossError
from ..base.randomness import derived_seed, seeded
from ..data.batches import StepBatches, step_batches
from ..data.encoding import EncodedDataset
from ..embedding.vectors import Learner
from ..kernels.devices import to_device
from ..ports import Computing, Denoiser
from ..ranks import ALONE, Ranks
from .loss import diffusion_loss
from .noise import NoiseProcess, NoisyBatch
from .optim.own_rates import effective_rate
from .optim.pair import rates as set_rates
from .optim.precision import clip, leaves_out_on_device
from .optim.schedules import Schedule, StepSchedule
from .plan import TrainingPlan
from .settings.job import Job
from .settings.training import TrainSettings
from .state import TrainState
from .tracking.metrics import Callback, StepRecord, StepReporter, StepResult

_log = logging.getLogger(__name__)

#: Good steps between the states that a roll-back may restore.
SNAPSHOT_EVERY = 50
#: Roll-backs to the same state before the run ends.
MAX_ROLLBACKS = 3


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
    guard: RollbackGuard
    computing: Computing
    ranks: Ranks = ALONE
    word_rates: Schedule | None = None

    def __post_init__(self) -> None:
        optimizer, device = self.state.optimizer, self.denoiser.device
        is_alone = self.ranks.size == 1  # several roll back at the same step, so each reads every outcome
        #: Whether the outcomes of steps stay on the device, to be read a few at a time.
        self.reads_later = (
            is_alone and device.type == "cuda" and leaves_out_on_device(optimizer) and not self.state.average
        )
        #: Optimizer steps done in this run, reported or not.
        self.done = 0

    def working(self) -> AbstractContextManager[None]:
        """Return a context in which the U-Net is frozen and uses the network, which is in training mode."""
        return self.denoiser.training(self.state.network, self.computing)

    def batches(self, start: int, end: int) -> Iterator[StepBatches]:
        """Yield the batches of each optimizer step from `start` up to `end`."""
        settings = self.job.train
        dealt = step_batches(self.data.dataset.kinds, settings.gradient_accumulation, settings.seed, start)
        return islice(dealt, end - start)

    def step(self, batches: StepBatches) -> StepResult:
        """Take one optimizer step over `batches`."""
        return self.update(batches, self.backward(batches))

    def backward(self, batches: StepBatches) -> Tensor:
        """Add up the gradients of the batches of a step; return the mean loss over their pictures, a scalar.

        Every picture has the same weight, in whichever micro-batch it is, and whichever process computes it.

        Raises:
            RanksLostError: another process that shares the step has ended.
        """
        losses, learner = [], self.state.learner
        address = ("step", batches.step, *self.ranks.address)
        with seeded(derived_seed(self.job.train.seed, *address), self.denoiser.device):
            for batch in self.noisy_batches(batches):
                with self.state.precision.autocast():
                    part = diffusion_loss(self.denoiser, batch, self.job.loss) * (len(batch.noisy) / batches.pictures)
                    part = part + learner.nothing() if isinstance(learner, Learner) else part
                self.state.precision.backward(part)
                losses.append(part.detach())
        if not losses:  # no picture of the step is this process's; the scaler wants to see a loss all the same
            nothing = torch.zeros((), device=self.denoiser.device, requires_grad=True)
            self.state.precision.backward(nothing)
            losses.append(nothing.detach())
        return self.ranks.add_up(learner.parameters(), torch.stack(losses).sum())

    def update(self, batches: StepBatches, loss: Tensor) -> StepResult:
        """Take the optimizer's step along the gradients, or leave it out if they or `loss` are not finite.

        If the optimizer leaves out a bad step by itself, nothing here waits for the device.
        """
        state, optimizer, precision = self.state, self.state.optimizer, self.state.precision
        rate = self.schedule.rate(batches.step) * state.rate_factor
        of_words = self.word_rates.rate(batches.step) * state.rate_factor if self.word_rates else None
        set_rates(optimizer, rate, of_words)
        precision.unscale(optimizer)
        norm = clip(list(state.learner.parameters()), self.job.optimizer.clip, self.clip_limits.rate(batches.step))
        outcome = torch.stack([loss, norm.to(loss.device)])
        result = StepResult(batches.step, batches.epoch, rate, batches.pictures, outcome)
        if self.reads_later:
            precision.step_where(optimizer, outcome.isfinite().all())
        else:
            result = result.read()
            if result.is_loss_finite and (result.is_gradient_finite or precision.is_searching_scale):
                precision.step(optimizer)
            else:
                precision.skip()
        optimizer.zero_grad(set_to_none=True)
        result = replace(result, effective_rate=effective_rate(optimizer))
        if state.average and result.is_finite:
            state.average.update_parameters(state.learner)
        self.done = batches.step + 1
        return result

    def reporter(self, callbacks: Sequence[Callback], end: int) -> StepReporter:
        """Return the reporter that calls `callbacks` for the steps of a run that ends at step `end`."""
        return StepReporter(self.checked_record, callbacks, end, at_once=not self.reads_later)

    def checked_record(self, result: StepResult) -> StepRecord:
        """Roll back if there were too many bad steps, and return the record of a step.

        Raises:
            NonFiniteLossError: rolling back does not help.
        """
        result = result.read()
        if result.is_finite:
            self.guard.after_good_step()
        elif not (result.is_loss_finite and self.state.precision.is_searching_scale):
            self.guard.after_bad_step(result.step)
        return result.record()

    def noisy_batches(self, batches: StepBatches) -> Iterator[NoisyBatch]:
        """Yield this process's part of the micro-batches of a step, with noise.

        Each draw depends only on seed, step and batch number, and is made for the whole micro-batch.
        """
        device, seed, dealt = self.denoiser.device, self.job.train.seed, 0
        for number, items in enumerate(batches.micro_batches):
            own = self.ranks.share(dealt, len(items))
            dealt += len(items)
            if own.start >= len(items):
                continue
            generator = torch.Generator().manual_seed(derived_seed(seed, "noise", batches.step, number))
            batch = self.data.batch(items, batches.epoch)
            latents = to_device(batch.latents, device)
            conditioning = batch.conditioning.map(lambda part: to_device(part, device))
            noisy = self.noise.draw(latents, conditioning, batches.step, generator)
            weights = None if batch.weights is None else to_device(batch.weights, device)
            yield replace(noisy, weights=weights).part(own)


class RollbackGuard:
    """Counts bad steps in a row, and rolls back.

    Attributes:
        skipped: steps left out so far.
        rollbacks: how often the last good state came back.
    """

    def __init__(self, state: TrainState, settings: TrainSettings) -> None:
        self._state = state
        self._settings = settings
        self._snapshot = state.capture()
        self._good = 0
        self._bad_in_a_row = 0
        self._rollbacks_in_a_row = 0
        self.skipped = 0
        self.rollbacks = 0

    def after_good_step(self) -> None:
        """Capture the state to roll back to, once in `SNAPSHOT_EVERY` good steps."""
        self._bad_in_a_row = 0
        self._good += 1
        if self._good % SNAPSHOT_EVERY == 0:
            self._snapshot = self._state.capture()
            self._rollbacks_in_a_row = 0

    def after_bad_step(self, step: int) -> None:
        """Count the step; roll back if there were too many in a row.

        Raises:
            NonFiniteLossError: rolling back does not help.
        """
        self.skipped += 1
        self._bad_in_a_row += 1
        _log.warning("Step %d was left out: its loss or gradient is not finite.", step + 1)
        if self._bad_in_a_row < self._settings.rollback_after:
            return
        if self._rollbacks_in_a_row >= MAX_ROLLBACKS:
            reason = "the loss or its gradient is not finite, and rolling back did not help"
            raise NonFiniteLossError(f"step {step + 1}: {reason}; lower the learning rate")
        factor = self._state.rate_factor
        self._state.restore(self._snapshot)
        self._state.rate_factor = factor / 2 if self._settings.rollback_halves_rate else factor
        self._bad_in_a_row = 0
        self.rollbacks += 1
        self._rollbacks_in_a_row += 1
        halved = ", with half the learning rate" if self._settings.rollback_halves_rate else ""
        _log.warning("Rolled back to the last good state after step %d%s.", step + 1, halved)


def make_trainer(
    plan: TrainingPlan, denoiser: Denoiser, data: EncodedDataset, state: TrainState, ranks: Ranks = ALONE
) -> Trainer:
    """Return the trainer of a planned run, which starts from `state`."""
    data.keep_on_if_it_fits(denoiser.device)
    return Trainer(
        job=plan.job,
        data=data,
        denoiser=denoiser,
        state=state,
        schedule=plan.schedule,
        noise=NoiseProcess(denoiser.alphas_cumprod, denoiser.prediction, plan.job.loss, plan.intervals.noise_cycle),
        clip_limits=plan.clip_limits,
        guard=RollbackGuard(state, plan.job.train),
        computing=plan.memory.computing,
        ranks=ranks,
        word_rates=plan.job.word_rates(plan.steps_per_epoch),
    )
