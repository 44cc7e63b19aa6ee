"""The desk of a run: what people ask of it is done between two steps, and others are let in there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ...hypernetworks.base.errors import TrainingError, WorkbenchError
from ...hypernetworks.ports import BetweenSteps
from .. import parts
from ..model import lending, temporary
from ..patching.error_reports import report_unexpected
from .run import PAUSED, RUNNING, Run
from .turns import turns

_OVER = "the run has ended; there is nothing to be done between its steps any more"


@dataclass(eq=False)
class Wish:
    """Something to be done between two steps.

    Attributes:
        act: does it, and returns the file that it made.
        done: set once it was done, or refused.
    """

    act: Callable[[BetweenSteps], Path]
    done: threading.Event = field(default_factory=threading.Event)
    path: Path | None = None
    problem: WorkbenchError | None = None

    def grant(self, steps: BetweenSteps) -> None:
        """Do it; an error is kept for who asked."""
        try:
            with report_unexpected():
                self.path = self.act(steps)
        except WorkbenchError as error:
            self.problem = error
        finally:
            self.done.set()

    def refuse(self) -> None:
        """Tell who asked that the run is over."""
        self.problem = TrainingError(_OVER)
        self.done.set()


class RunDesk:
    """The desk of one run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def is_wanted(self) -> bool:
        """Tell whether somebody asks for something, wants a pause, or was let in."""
        return bool(self._run.wishes) or self._run.is_paused or turns.has_guests

    def expect(self, seconds: float | None) -> None:
        """Note the seconds that the run will still take."""
        self._run.left_s = seconds

    def serve(self, run: BetweenSteps) -> None:
        """Do what is asked for; stand aside for guests and in a pause, until that is over or the run is to end."""
        while True:
            self._grant(run)
            if self._run.is_cancelled or not (self._run.is_paused or turns.has_guests):
                return
            self._stand_aside(run)

    def _grant(self, steps: BetweenSteps) -> None:
        while self._run.wishes:
            self._run.wishes.pop(0).grant(steps)

    def _stand_aside(self, steps: BetweenSteps) -> None:
        run = self._run
        with ExitStack() as stack:
            stack.enter_context(steps.aside())
            stack.enter_context(temporary.preserved_rng())
            stack.enter_context(parts.aside())
            stack.enter_context(lending.lent())
            run.state = PAUSED
            stack.callback(setattr, run, "state", RUNNING)
            stack.enter_context(turns.lent(run.is_paused))
            turns.wait_until(self._is_awaited)

    def _is_awaited(self) -> bool:
        """Tell whether the run should take the model back."""
        if turns.has_guests:
            return False
        return self._run.is_cancelled or not self._run.is_paused or bool(self._run.wishes)
