"""The progress of a run on the console."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image
from tqdm import tqdm

SECONDS_TO_A_BAR = 2.0
_STEPS_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class ConsoleProgress:
    """The port `Progress` as a bar on the console; Ctrl-C or SIGTERM ends the run after its step.

    Args:
        is_shown: whether there is a bar.
        is_deserted: tells whether whoever started the run is gone, which ends it too.
    """

    def __init__(self, is_shown: bool = True, is_deserted: Callable[[], bool] = lambda: False) -> None:
        self._bar: tqdm[Any] | None = None
        self._is_shown = is_shown
        self._is_deserted = is_deserted
        self._is_interrupted = False

    def report(self, done: int, total: int, text: str) -> None:
        """Move the bar."""
        if not self._is_shown:
            return
        unit = "step" if text.startswith("step") else "picture"
        if self._bar is None or (self._bar.total, self._bar.unit) != (total, unit) or done < self._bar.n:
            self.close()
            self._bar = tqdm(
                total=total,
                unit=unit,
                file=sys.stderr,
                dynamic_ncols=True,
                # One time that is left is enough: where there are steps, that of the text.
                bar_format=_STEPS_BAR if unit == "step" else None,
                # In a log file a bar must not move ten times a second.
                mininterval=0.1 if sys.stderr.isatty() else 30.0,
                # No bar flashes up before an error message where the pictures take no time.
                delay=0.0 if unit == "step" else SECONDS_TO_A_BAR,
            )
        self._bar.set_postfix_str(text.partition(", ")[2], refresh=False)
        self._bar.update(done - self._bar.n)

    def draw(self, chart: str) -> None:
        """Do nothing: a console draws no curves; they are in the log."""

    def show(self, picture: Image.Image) -> None:
        """Do nothing: a console shows no pictures; they are in the log folder."""

    def is_interrupted(self) -> bool:
        """Tell whether Ctrl-C was pressed, SIGTERM came, or nobody waits for the run any more."""
        return self._is_interrupted or self._is_deserted()

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Make the first Ctrl-C or SIGTERM ask the run to stop, and the second one stop it at once."""

        def ask(_signal: int, _frame: Any) -> None:
            self._is_interrupted = True
            listen_no_more()

        def listen_no_more() -> None:
            for name, handler in before.items():
                signal.signal(name, handler)

        before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            listen_no_more()
            self.close()
