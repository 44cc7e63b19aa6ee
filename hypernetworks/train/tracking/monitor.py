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

_MEAN_STEPS = 50
_SPEED_STEPS = 20
_CHART_EVERY_S = 1.0
_CHART_POINTS = 240
_LOSS = Number(-3.5e38, 3.5e38)  # what float32 has
_RATE = Number(0, 1e9)
_EFFECTIVE = "effective rate"


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
            {
                "loss": _curve(_LOSS),
                "validation": _curve(Number(is_finite=False)),
                "rate": _curve(_RATE),
                _EFFECTIVE: _curve(_RATE),
            },
            optional=frozenset({_EFFECTIVE}),  # earlier versions did not keep it
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
    """Averages losses, measures speed, and reports both to the host.

    Attributes:
        taken: number of steps taken, without those left out.
        seconds_left: how long the run will still take; None before there is a speed.
    """

    def __init__(self, progress: Progress, total: int, memory: PeakMemory, validation: Measured | None) -> None:
        self._progress = progress
        self._total = total
        self._memory = memory
        self._validation = validation
        self.taken = 0
        self.seconds_left: float | None = None
        self._span = span_of(total)
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_MEAN_STEPS)
        self._curves = {name: _History() for name in ("loss", "validation", "rate", _EFFECTIVE)}
        self._step = 0
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
        """Return the curves of loss, validation loss and rate as SVG; the loss begins and ends as `mean_loss` says.

        Where the optimizer sets its rate by itself, that is the rate.
        """
        loss, validation, rate, effective = (Curve(name, history.points) for name, history in self._curves.items())
        if self.taken:
            # Where the first mean is not over yet, the line of what there is until then takes its place.
            begin = self._span if self._step >= self._span else 0
            means = {step: value for step, value in loss.points if begin < step < self._step}
            if begin:
                means[begin] = self.mean_loss(last=False)
            means[self._step] = self.mean_loss(last=True)
            loss = Curve(loss.name, sorted(means.items()))
        return draw_chart([loss, validation], effective if effective.points else rate, self._total)

    def mean_loss(self, last: bool) -> float:
        """Return the mean of the first or the last tenth of the run, at most 50 steps; NaN before the first step."""
        part = list(self._last)[-self._span :] if last else self._first[: self._span]
        return sum(part) / len(part) if part else math.nan

    def was_away(self, seconds: float) -> None:
        """Leave a time in which no steps were taken out of the speed."""
        self._times = deque(((moment + seconds, count) for moment, count in self._times), maxlen=_SPEED_STEPS)

    def state(self) -> dict[str, Any]:
        """Return the history to continue with."""
        return {
            "taken": self.taken,
            "first": list(self._first),
            "last": list(self._last),
            # Versions before continue with this one.
            "smoothed": self.mean_loss(last=True) if self.taken else None,
            "curves": {name: history.state() for name, history in self._curves.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the history."""
        self.taken, self._first = state["taken"], list(state["first"])
        self._last.extend(state["last"])
        for name, kept in state["curves"].items():
            self._curves[name].restore(kept)
        self._step = max((step for step, _ in self._curves["loss"].points), default=0)

    def _remember(self, record: StepRecord) -> None:
        self._times.append((time.monotonic(), record.pictures))
        self.seconds_left = self._left(record.step)
        measured = validation_of(self._validation, record.step)
        if measured is not None:
            self._curves["validation"].add(record.step, measured)
        self._curves["rate"].add(record.step, record.rate)
        if record.effective_rate is not None:
            self._curves[_EFFECTIVE].add(record.step, record.effective_rate)
        if record.skipped:
            return
        self.taken += 1
        self._step = record.step
        if len(self._first) < _MEAN_STEPS:
            self._first.append(record.loss)
        self._last.append(record.loss)
        self._curves["loss"].add(record.step, self.mean_loss(last=True))

    def _left(self, step: int) -> float | None:
        """Return the seconds to the end at the speed of the last steps; None before there is one."""
        if len(self._times) < 2:  # noqa: PLR2004 - a span of time has two ends
            return None
        return (self._total - step) * self._elapsed() / (len(self._times) - 1)

    def _elapsed(self) -> float:
        return max(self._times[-1][0] - self._times[0][0], 1e-6)

    def _text(self, record: StepRecord) -> str:
        parts = [f"step {record.step} of {self._total}", f"epoch {record.epoch}"]
        if self.taken:
            parts.append(f"loss {self.mean_loss(last=True):.4f}")
        if self._validation is not None and self._validation.latest:
            parts.append(f"validation {self._validation.latest[1]:.4f}")
        if record.effective_rate is None:
            parts.append(f"rate {record.rate:.3g}")
        else:
            parts.append(f"effective rate {record.effective_rate:.3g}")
        if self.seconds_left is not None:
            speed = (len(self._times) - 1) / self._elapsed()
            pictures = sum(count for _, count in list(self._times)[1:]) / self._elapsed()
            parts += [f"{speed:.3g} steps/s", f"{pictures:.3g} pictures/s", f"{clock(self.seconds_left)} left"]
        parts.append(f"peak memory {self._memory.peak_mb() / 1024:.2f} GB")
        return ", ".join(parts)


def span_of(total: int) -> int:
    """Return how many steps of a run of `total` one loss stands for: a tenth of them, at most 50."""
    return max(1, min(_MEAN_STEPS, total // 10))


def clock(seconds: float) -> str:
    """Return a duration in words, such as `3 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
