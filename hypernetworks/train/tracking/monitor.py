"""The display of a run: one line of text, the curves, and its end when Interrupt is pressed."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

from markupsafe import Markup

from ...base.forms import STEPS, ListOf, Maybe, Number, Record, Row, UnfitError, Whole
from ...kernels.memory import PeakMemory
from ...pages.charts import Curve, draw_chart
from ...ports import Progress
from .logs import validation_of
from .metrics import Measured, StepRecord

_SMOOTHING = 0.95
_MEAN_STEPS = 50
_SPEED_STEPS = 20
_CHART_EVERY_S = 1.0
_CHART_POINTS = 240
_LOSS = Number(-3.5e38, 3.5e38)  # what float32 has


class _HistoryForm(Record):
    """What Continue needs, in a file."""

    def take(self, value: Any, place: str = "") -> dict[str, Any]:
        """Return it, with as many losses as the steps tell."""
        history = super().take(value, place)
        for name in ("first", "last"):
            if len(history[name]) != min(history["taken"], _MEAN_STEPS):
                raise UnfitError(f"{place}.{name} has {len(history[name])} losses of {history['taken']} steps")
        if (history["smoothed"] is None) != (history["taken"] == 0):
            raise UnfitError(f"{place}.smoothed does not fit {history['taken']} steps")
        return history


def _curve(value: Number) -> Record:
    points = ListOf(Row((STEPS, value)), _CHART_POINTS)
    return Record({"points": points, "stride": Whole(1, STEPS.maximum)})


FORM = _HistoryForm(
    {
        "taken": STEPS,
        "first": ListOf(_LOSS, _MEAN_STEPS),
        "last": ListOf(_LOSS, _MEAN_STEPS),
        "smoothed": Maybe(_LOSS),
        "curves": Record(
            {"loss": _curve(_LOSS), "validation": _curve(Number(is_finite=False)), "rate": _curve(Number(0, 1e9))}
        ),
    }
)


class _History:
    """Points of a curve, thinned out as they become many, so that a long run takes no more memory."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []
        self._stride = 1

    def add(self, step: int, value: float) -> None:
        if self.points and step - self.points[-1][0] < self._stride:
            return
        self.points.append((step, value))
        if len(self.points) > _CHART_POINTS:
            self.points = self.points[::2]
            self._stride *= 2

    def state(self) -> dict[str, Any]:
        return {"points": [list(point) for point in self.points], "stride": self._stride}

    def restore(self, state: dict[str, Any]) -> None:
        self.points = [(point[0], point[1]) for point in state["points"]]
        self._stride = state["stride"]


class Monitor:
    """Smooths losses, measures speed, and reports both to the host.

    Attributes:
        taken: number of steps taken, without those left out.
    """

    def __init__(self, progress: Progress, total: int, memory: PeakMemory, validation: Measured | None) -> None:
        self._progress = progress
        self._total = total
        self._memory = memory
        self._validation = validation
        self.taken = 0
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_MEAN_STEPS)
        self._curves = {name: _History() for name in ("loss", "validation", "rate")}
        self._smoothed: float | None = None
        self._times: deque[tuple[float, int]] = deque(maxlen=_SPEED_STEPS)
        self._drawn = 0.0

    def after_step(self, record: StepRecord) -> bool:
        """Report the step; return True if the run should end."""
        self._remember(record)
        self._progress.report(record.step, self._total, self._text(record))
        now = time.monotonic()
        if now - self._drawn >= _CHART_EVERY_S or record.step == self._total:
            self._drawn = now
            self._progress.draw(self.chart())
        return self._progress.is_interrupted()

    def chart(self) -> Markup:
        """Return the curves of loss, validation loss and rate as SVG."""
        loss, validation, rate = (Curve(name, history.points) for name, history in self._curves.items())
        return draw_chart([loss, validation], rate, self._total)

    def mean_loss(self, last: bool) -> float:
        """Return the mean of the first or the last tenth of the run, at most 50 steps; NaN before the first step."""
        if not self.taken:
            return math.nan
        span = max(1, min(_MEAN_STEPS, self.taken // 10))
        part = list(self._last)[-span:] if last else self._first[:span]
        return sum(part) / len(part)

    def state(self) -> dict[str, Any]:
        """Return the history to continue with."""
        return {
            "taken": self.taken,
            "first": list(self._first),
            "last": list(self._last),
            "smoothed": self._smoothed,
            "curves": {name: history.state() for name, history in self._curves.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the history."""
        self.taken, self._first, self._smoothed = state["taken"], list(state["first"]), state["smoothed"]
        self._last.extend(state["last"])
        for name, history in self._curves.items():
            history.restore(state["curves"][name])

    def _remember(self, record: StepRecord) -> None:
        self._times.append((time.monotonic(), record.pictures))
        measured = validation_of(self._validation, record.step)
        if measured is not None:
            self._curves["validation"].add(record.step, measured)
        self._curves["rate"].add(record.step, record.rate)
        if record.skipped:
            return
        self.taken += 1
        if len(self._first) < _MEAN_STEPS:
            self._first.append(record.loss)
        self._last.append(record.loss)
        before = record.loss if self._smoothed is None else self._smoothed
        self._smoothed = _SMOOTHING * before + (1 - _SMOOTHING) * record.loss
        self._curves["loss"].add(record.step, self._smoothed)

    def _text(self, record: StepRecord) -> str:
        parts = [f"step {record.step} of {self._total}", f"epoch {record.epoch}"]
        if self._smoothed is not None:
            parts.append(f"loss {self._smoothed:.4f}")
        if self._validation is not None and self._validation.latest:
            parts.append(f"validation {self._validation.latest[1]:.4f}")
        parts.append(f"rate {record.rate:.3g}")
        if len(self._times) > 1:
            elapsed = max(self._times[-1][0] - self._times[0][0], 1e-6)
            speed = (len(self._times) - 1) / elapsed
            pictures = sum(count for _, count in list(self._times)[1:]) / elapsed
            left = (self._total - record.step) / speed
            parts += [f"{speed:.3g} steps/s", f"{pictures:.3g} pictures/s", f"{_clock(left)} left"]
        parts.append(f"peak memory {self._memory.peak_mb() / 1024:.2f} GB")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
