"""Somebody else's measurements of a run while it goes on, who may end it: the trials of a study are judged so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ...network.hypernetwork import Hypernetwork
from ...ports import Ports
from .metrics import StepRecord


@dataclass(frozen=True)
class Judged:
    """A run between two of its steps.

    Attributes:
        weights: returns a context in which the network has the weights to show.
        validation_loss: measures it; None where no picture is held out.
    """

    ports: Ports
    network: Hypernetwork
    weights: Callable[[], AbstractContextManager[None]]
    validation_loss: Callable[[], float | None]


class Judge(Protocol):
    """Measures a run."""

    def note(self, step: int) -> None:
        """Note that `step` was taken."""

    def is_due(self, step: int, end_step: int) -> bool:
        """Tell whether it measures after `step`, of a run that ends at `end_step`."""

    def judge(self, step: int, end_step: int, run: Judged) -> bool:
        """Measure, and return True to end the run."""


@dataclass(frozen=True)
class Judging:
    """Calls a judge where it is due.

    Attributes:
        judge: None where nobody judges the run.
    """

    judge: Judge | None
    end_step: int
    run: Judged

    def is_due(self, step: int) -> bool:
        """Tell whether the judge measures after `step`."""
        return self.judge is not None and self.judge.is_due(step, self.end_step)

    def after_step(self, record: StepRecord) -> bool:
        """Let the judge measure; return True where it ends the run."""
        if self.judge is None:
            return False
        self.judge.note(record.step)
        if not self.is_due(record.step):
            return False
        return self.judge.judge(record.step, self.end_step, self.run)
