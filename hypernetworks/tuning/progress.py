"""The progress of the run of a trial, with the trial's place in its study, and how long the study will go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup
from PIL import Image

from ..ports import BetweenSteps, Desk, Progress
from .trials import OVER, RUNNING, Trial


class TrialProgress:
    """The port `Progress` of one trial.

    Args:
        outer: the progress of the whole study.
        number: of the trial, from 0.
        total: the most trials that there are.
    """

    def __init__(self, outer: Progress, number: int, total: int) -> None:
        self._outer = outer
        self._words = f"trial {number + 1} of {total}"

    def report(self, done: int, total: int, text: str) -> None:
        """Show how far the run is, and the place of its trial."""
        self._outer.report(done, total, f"{text}, {self._words}")

    def draw(self, chart: Markup) -> None:
        """Show the curves of the run."""
        self._outer.draw(chart)

    def show(self, picture: Image.Image) -> None:
        """Show a preview picture."""
        self._outer.show(picture)

    def is_interrupted(self) -> bool:
        """Tell whether the study should stop."""
        return self._outer.is_interrupted()


class TrialDesk:
    """The port `Desk` of one trial, which tells how long the whole study will go on.

    Args:
        outer: the desk of the study.
        others: returns how long the trials after this one will take, in seconds, by how long this one still does.
    """

    def __init__(self, outer: Desk, others: Callable[[float], float]) -> None:
        self._outer, self._others = outer, others

    def is_wanted(self) -> bool:
        """Tell whether somebody asks for something."""
        return self._outer.is_wanted()

    def expect(self, seconds: float | None) -> None:
        """Note the seconds that the trial will still take."""
        self._outer.expect(None if seconds is None else seconds + self._others(seconds))

    def serve(self, run: BetweenSteps) -> None:
        """Do what is asked for."""
        self._outer.serve(run)


class Others:
    """The trials that come after the one at work.

    Args:
        trial: the one at work.
        trials: all that were begun before it.
        count: how many are left with it, less those of other workers.
        max_s: the seconds of all trials together after which none begins; 0 where there is no such limit.
    """

    def __init__(self, trial: Trial, trials: Sequence[Trial], count: int, max_s: float) -> None:
        before = [one for one in trials if one.number != trial.number]
        self._workers = 1 + sum(one.state == RUNNING for one in before)
        self._count, self._max_s = max(0, count - 1), max_s
        self._over_s = [one.seconds for one in before if one.state in OVER]
        self._spent_s = sum(one.seconds for one in before)

    def seconds(self, trial_s: float) -> float:
        """Return how long they will take, by how long the one at work takes in all."""
        mean_s = sum(self._over_s) / len(self._over_s) if self._over_s else trial_s
        taken_s = mean_s * self._count
        if self._max_s:
            taken_s = min(taken_s, max(0.0, self._max_s - self._spent_s - trial_s))
        return taken_s / self._workers
