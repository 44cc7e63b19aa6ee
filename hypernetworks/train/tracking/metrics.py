"""How steps went, read from the device a few at a time, since each look waits for all work there; and who is told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

MOST_UNREAD = 16
LONGEST_UNREAD_S = 0.5


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
        """Take note of an optimizer step that is done."""


class Measured(Protocol):
    """Something that measures the validation loss now and then."""

    latest: tuple[int, float] | None


@runtime_checkable
class PeriodicCallback(Protocol):
    """A callback that uses the network, and so must not be told of its steps later."""

    def is_due(self, step: int) -> bool:
        """Tell whether something is to be done after `step` optimizer steps."""


@dataclass(frozen=True)
class StepResult:
    """How one optimizer step went; its numbers may still be on the device.

    Attributes:
        step: optimizer steps before it.
        epoch: from 0.
        outcome: loss and norm of the gradient, [2], where they were computed.
        numbers: the same, once they were read.
    """

    step: int
    epoch: int
    rate: float
    pictures: int
    outcome: Tensor
    numbers: tuple[float, float] | None = None

    def read(self) -> StepResult:
        """With its numbers."""
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
        """Whether both are."""
        return self.is_loss_finite and self.is_gradient_finite

    def record(self) -> StepRecord:
        """For callbacks; of a step that was read."""
        loss, norm = self.numbers or (math.nan, math.nan)
        return StepRecord(self.step + 1, self.epoch + 1, loss, self.rate, self.pictures, norm, not self.is_finite)


class StepReporter:
    """Tells the callbacks of every step, in order; keeps steps until their numbers are read from the device.

    Args:
        settle: what makes a record of a step.
        end: step the run ends at.
        at_once: reads after each step.
    """

    def __init__(
        self, settle: Callable[[StepResult], StepRecord], callbacks: Sequence[Callback], end: int, at_once: bool
    ) -> None:
        self._settle = settle
        self._callbacks = callbacks
        self._end = end
        self._at_once = at_once
        self._unread: list[StepResult] = []
        self._last = time.monotonic()

    def report(self, result: StepResult) -> bool:
        """Take a step, and tell of it now or later; True if a callback ends the run."""
        self._unread.append(result)
        return self._is_due(result.step + 1) and self._read()

    def _is_due(self, step: int) -> bool:
        if self._at_once or step == self._end or len(self._unread) >= MOST_UNREAD:
            return True
        if time.monotonic() - self._last >= LONGEST_UNREAD_S:
            return True
        return any(callback.is_due(step) for callback in self._callbacks if isinstance(callback, PeriodicCallback))

    def _read(self) -> bool:
        unread, self._unread = self._unread, []
        if len(unread) > 1:  # one look for all of them
            outcomes = torch.stack([result.outcome for result in unread]).tolist()
            unread = [replace(one, numbers=(loss, norm)) for one, (loss, norm) in zip(unread, outcomes, strict=True)]
        ends = False
        for result in unread:
            record = self._settle(result)
            # Each callback is told, also after one has asked to end.
            wishes = [callback.after_step(record) for callback in self._callbacks]
            ends = ends or any(wishes)
        self._last = time.monotonic()
        return ends
