"""Between two steps of a run: what people ask for is done, and the model is lent out, as if the run were not there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..kernels.memory import PeakMemory
from ..ports import Desk
from .saving import Saver
from .tracking.metrics import StepRecord
from .tracking.monitor import Monitor
from .tracking.previews import Previews


class Surroundings:
    """What a run works in: several contexts, which can be left for a while and entered anew.

    Args:
        make: returns fresh contexts, in the order in which they are entered.
    """

    def __init__(self, make: Callable[[], Sequence[AbstractContextManager[Any]]]) -> None:
        self._make = make
        self._entered = ExitStack()

    def __enter__(self) -> None:
        with ExitStack() as entering:
            for context in self._make():
                entering.enter_context(context)
            self._entered = entering.pop_all()

    def __exit__(self, *raised: Any) -> None:
        self._entered.__exit__(*raised)

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave the contexts, and enter them anew at the end of the block."""
        self._entered.close()
        try:
            yield
        finally:
            self.__enter__()


@dataclass
class BetweenSteps:
    """Lets a desk do what people ask for, right after a step; the steps that follow are the same as without it.

    Attributes:
        desk: knows what is asked for; None where nobody can ask.
        surroundings: what the run works in.
        away_s: seconds for which the run stood aside.
    """

    desk: Desk | None
    saver: Saver
    previews: Previews
    monitor: Monitor
    memory: PeakMemory
    surroundings: Surroundings
    away_s: float = 0.0
    _step: int = field(default=0, init=False)

    def is_due(self, step: int) -> bool:
        """Tell whether somebody asks for something now, after `step`."""
        if self.desk is not None and self.desk.is_wanted():
            self._step = step
        return step == self._step

    def after_step(self, record: StepRecord) -> bool:
        """Let the desk do what is asked for; return True if somebody interrupted the run meanwhile."""
        if self.desk is None:
            return False
        self.desk.expect(self.monitor.seconds_left)
        if record.step != self._step:
            return False
        self.desk.serve(self)
        return self.previews.ports.progress.is_interrupted()

    def save(self) -> Path:
        """Save a numbered copy, with the state where the settings want one, and return its path.

        Raises:
            NonFiniteLossError: a weight is not finite.
            HypernetworkFileError: the disk refuses a file.
        """
        return self.saver.save_copy()

    def preview(self, prompt: str) -> Path:
        """Make a picture of a prompt, or of the run's own where it is empty; save and show it, and return its path.

        Raises:
            HypernetworkFileError: the disk refuses it.
        """
        return self.previews.make_one(self._step, prompt)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the model as it was before the run, for others, until the end of the block."""
        left = time.monotonic()
        try:
            with self.memory.not_counted(), self.surroundings.left():
                yield
        finally:
            away = time.monotonic() - left
            self.away_s += away
            self.monitor.was_away(away)
