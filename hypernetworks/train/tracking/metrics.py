"""The outcome of steps, read from the device a few at a time, as each read waits for all work there, and reported."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

MAX_UNREAD = 16
MAX_UNREAD_S = 0.5


@dataclass(frozen=True)
class StepRecord:
    """The outcome of one optimizer step.

    Attributes:
        step: optimizer steps done in this run, 1 after the first.
        epoch: its pass over the dataset, from 1.
        loss: mean over the pictures of the step.
        rate: its learning rate.
        pictures: number of its pictures.
        gradient_norm: norm of the gradient before clipping.
        skipped: whether it was left out because loss or gradient was not finite.
        effective_rate: the rate that the optimizer has found or set by itself; None where it takes the learning rate.
    """

    step: int
    epoch: int
    loss: float
    rate: float
    pictures: int
    gradient_norm: float
    skipped: bool = False
    effective_rate: float | None = None


class Callback(Protocol):
    """Something that is called after each step."""

    def after_step(self, record: StepRecord) -> bool | None:
        """Process an optimizer step that is done; return True to end the run."""


class Measured(Protocol):
    """Something that measures the validation loss at intervals."""

    latest: tuple[int, float] | None


@runtime_checkable
class PeriodicCallback(Protocol):
    """A callback that uses the network, and so must be called right after its steps."""

    def is_due(self, step: int) -> bool:
        """Tell whether something is to be done after `step` optimizer steps."""


@dataclass(frozen=True)
class StepResult:
    """The result of one optimizer step; its numbers may still be on the device.

    Attributes:
        step: number of optimizer steps before it.
        epoch: its pass over the dataset, from 0.
        outcome: loss and norm of the gradient, [2], on the device.
        effective_rate: the rate that the optimizer has found or set by itself, or None.
        numbers: the same, once they have been read.
    """

    step: int
    epoch: int
    rate: float
    pictures: int
    outcome: Tensor
    effective_rate: float | None = None
    numbers: tuple[float, float] | None = None

    def read(self) -> StepResult:
        """Return the result with its numbers."""
        if self.numbers is not None:
            return self
        loss, norm = self.outcome.tolist()
        return replace(self, numbers=(loss, norm))

    @property
    def is_loss_finite(self) -> bool:
        """Whether the loss is a finite number."""
        return self.numbers is not None and math.isfinite(self.numbers[0])

    @property
    def is_gradient_finite(self) -> bool:
        """Whether the gradient is finite."""
        return self.numbers is not None and math.isfinite(self.numbers[1])

    @property
    def is_finite(self) -> bool:
        """Whether loss and gradient are finite."""
        return self.is_loss_finite and self.is_gradient_finite

    def record(self) -> StepRecord:
        """Return the record for callbacks; the numbers must have been read."""
        loss, norm = self.numbers or (math.nan, math.nan)
        return StepRecord(
            step=self.step + 1,
            epoch=self.epoch + 1,
            loss=loss,
            rate=self.rate,
            pictures=self.pictures,
            gradient_norm=norm,
            skipped=not self.is_finite,
            effective_rate=self.effective_rate,
        )


class StepReporter:
    """Calls the callbacks for every step, in order; keeps steps until their numbers are read from the device.

    Args:
        checked_record: makes the record of a step.
        end: step at which the run ends.
        at_once: whether the numbers are read after each step.
    """

    def __init__(
        self, checked_record: Callable[[StepResult], StepRecord], callbacks: Sequence[Callback], end: int, at_once: bool
    ) -> None:
        self._record_of = checked_record
        self._callbacks = callbacks
        self._end = end
        self._at_once = at_once
        self._unread: list[StepResult] = []
        self._last = time.monotonic()

    def report(self, result: StepResult) -> bool:
        """Report a step now or later; return True if a callback ends the run."""
        self._unread.append(result)
        return self._is_due(result.step + 1) and self._read()

    def _is_due(self, step: int) -> bool:
        # Each callback is asked at each step, since some go by the clock.
        due = [callback.is_due(step) for callback in self._callbacks if isinstance(callback, PeriodicCallback)]
        if any(due) or self._at_once or step == self._end or len(self._unread) >= MAX_UNREAD:
            return True
        return time.monotonic() - self._last >= MAX_UNREAD_S

    def _read(self) -> bool:
        unread, self._unread = self._unread, []
        if len(unread) > 1:  # one read for all of them
            outcomes = torch.stack([result.outcome for result in unread]).tolist()
            unread = [replace(one, numbers=(loss, norm)) for one, (loss, norm) in zip(unread, outcomes, strict=True)]
        ends = False
        for result in unread:
            record = self._record_of(result)
            # Every callback is called, even after one has ended the run.
            answers = [callback.after_step(record) for callback in self._callbacks]
            ends = ends or any(answers)
        self._last = time.monotonic()
        return ends
