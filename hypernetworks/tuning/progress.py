"""The progress of the run of a trial, with the trial's place in its study."""

from __future__ import annotations

from markupsafe import Markup
from PIL import Image

from ..ports import Progress


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
