"""Line charts and histograms as SVG, drawn with the page's own colours so that they suit a light and a dark theme."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..report import Histogram
from . import elements

_FILE = "charts.svg"
#: The lines are drawn in a square of this size, which the page stretches; letters and strokes keep their sizes.
_SIZE = 1000
_COLOURS = ("#3b82f6", "#f59e0b", "#10b981")
#: For several runs in one chart; told apart by the colour-blind too (Okabe and Ito, 2008).
_RUN_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a6fd1", "#7f7f7f")
_DASHES = "5 4"
_NAME = 100
_TICKS = 4
_BARS_WIDTH, _BARS_HEIGHT = 180, 34
_GAP = 0.5
#: Losses above so many times the first one would hide the differences of all others.
_FAR_ABOVE = 1.2

#: Its points as a polyline has them, how many they are, its colour, and its dashes.
Line = tuple[str, int, str, str]
#: Name, loss and validation loss of a run.
RunCurves = tuple[str, Sequence[tuple[int, float]], Sequence[tuple[int, float]]]


@dataclass(frozen=True)
class Curve:
    """A named line through points (step, value)."""

    name: str
    points: Sequence[tuple[float, float]]


def draw_chart(curves: Sequence[Curve], right: Curve | None, last_step: int) -> Markup:
    """Return an SVG with `curves` on the left axis and `right` on an axis of its own, over steps 0..last_step."""
    axes = [[(curve, _COLOURS[number]) for number, curve in enumerate(curves) if curve.points]]
    axes.append([(right, _COLOURS[2])] if right is not None and right.points else [])
    lines: list[Line] = []
    ticks: list[list[tuple[str, str]]] = [[], []]
    for number, axis in enumerate(axes):
        if axis:
            limits = _range([curve for curve, _ in axis])
            ticks[number] = list(_ticks(limits))
            lines += [_line(curve, limits, last_step, colour) for curve, colour in axis]
    return elements.piece(
        _FILE,
        "chart",
        size=_SIZE,
        names=", ".join(curve.name for axis in axes for curve, _ in axis),
        legend=[(curve.name, colour) for axis in axes for curve, colour in axis],
        below=_steps(last_step),
        ticks=ticks,
        lines=lines,
    )


def colour(number: int) -> str:
    """Return the colour of run `number` in a chart of several."""
    return _RUN_COLOURS[number % len(_RUN_COLOURS)]


def draw_runs(runs: Sequence[RunCurves]) -> Markup:
    """Return an SVG with the loss of each run, and dashed its validation loss, on one axis."""
    curves = [
        (Curve(name, points), colour(number), dashes)
        for number, (name, loss, validation) in enumerate(runs)
        for points, dashes in ((loss, ""), (validation, _DASHES))
        if points
    ]
    limits = _range([curve for curve, _, _ in curves])
    last_step = int(max((curve.points[-1][0] for curve, _, _ in curves), default=1))
    return elements.piece(
        _FILE,
        "chart",
        size=_SIZE,
        names=", ".join(elements.text(name, _NAME) for name, _, _ in runs),
        legend=[],
        below=_steps(last_step),
        ticks=[list(_ticks(limits)), []],
        lines=[_line(curve, limits, last_step, shade, dashes) for curve, shade, dashes in curves],
    )


def draw_rates(curves: Sequence[Curve], start: float, chosen: tuple[float, float] | None, title: str = "") -> Markup:
    """Return an SVG with losses over learning rates, on a logarithmic axis; empty where there is none to show.

    Args:
        start: the loss before; what is far above it is left out.
        chosen: lowest and highest of the rates to shade.
        title: stands above the chart.
    """
    shown = [
        Curve(one.name, sorted((math.log10(rate), loss) for rate, loss in one.points if loss <= start * _FAR_ABOVE))
        for one in curves
    ]
    places = [place for curve in shown for place, _ in curve.points]
    if not places:
        return Markup()
    first = math.floor(min(places))
    decades = max(math.ceil(max(places)) - first, 1)
    drawn = [Curve(one.name, [(place - first, loss) for place, loss in one.points]) for one in shown]
    limits = _range([*drawn, Curve("", [(0, start)])])
    if chosen is not None and not all(map(math.isfinite, chosen)):
        chosen = None  # none is chosen yet
    low, high = (min(max(math.log10(rate) - first, 0), decades) / decades for rate in chosen or (1, 1))
    return elements.piece(
        _FILE,
        "chart",
        size=_SIZE,
        names=", ".join(curve.name for curve in drawn),
        legend=[(one.name, _COLOURS[number]) for number, one in enumerate(drawn)],
        below=[(f"{100 * mark / decades:g}%", "middle", f"1e{first + mark}") for mark in range(decades + 1)],
        ticks=[list(_ticks(limits)), []],
        lines=[_line(one, limits, decades, _COLOURS[number]) for number, one in enumerate(drawn)],
        shade=(f"{low * _SIZE:.0f}", f"{(high - low) * _SIZE:.0f}") if chosen else None,
        title=title,
    )


def draw_histogram(histogram: Histogram, title: str = "") -> Markup:
    """Return an SVG element: a bar for each bin, the highest as high as the picture, and a line at 0.

    Args:
        title: shown while the pointer is over it.
    """
    return elements.piece(
        _FILE,
        "histogram",
        width=_BARS_WIDTH,
        height=_BARS_HEIGHT,
        title=title,
        bars=_bars(histogram),
        zero=_zero(histogram),
    )


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    values = [value for curve in curves for _, value in curve.points if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    # Rates and losses are never below 0, and their axis should not seem so.
    return low - margin if low < 0 else max(0.0, low - margin), high + margin


def _line(curve: Curve, limits: tuple[float, float], last_step: float, colour: str, dashes: str = "") -> Line:
    low, high = limits
    across, down = _SIZE / max(last_step, 1), _SIZE / (high - low)
    places: list[float] = []
    for step, value in curve.points:
        if math.isfinite(value):
            places += (step * across, (high - value) * down)
    count = len(places) // 2
    # One format for all: a chart is drawn every second of a run.
    return " ".join(["%.1f,%.1f"] * count) % tuple(places), count, colour, dashes


def _steps(last: int) -> list[tuple[str, str, str]]:
    """Return place, anchor and words of the marks below a chart over steps."""
    return [("0", "start", "0"), ("100%", "end", f"step {last}")]


def _ticks(limits: tuple[float, float]) -> Iterator[tuple[str, str]]:
    """Yield height, as a share of the chart's from above, and words of each mark of an axis."""
    low, high = limits
    for tick in range(_TICKS + 1):
        yield f"{100 - 100 * tick / _TICKS:g}%", f"{low + (high - low) * tick / _TICKS:.3g}"


def _bars(histogram: Histogram) -> Iterator[tuple[str, str, str, str]]:
    highest = max((0, *histogram.counts))
    step = _BARS_WIDTH / max(len(histogram.counts), 1)
    for index, count in enumerate(histogram.counts):
        if count and highest:
            # A single value must still be seen beside millions in another bin.
            height = max(count / highest * (_BARS_HEIGHT - 2), 1)
            left, top = index * step + _GAP / 2, _BARS_HEIGHT - 1 - height
            yield f"{left:.2f}", f"{top:.2f}", f"{step - _GAP:.2f}", f"{height:.2f}"


def _zero(histogram: Histogram) -> str:
    """Return where the line at 0 begins; empty where 0 is not in the picture."""
    low, high = histogram.low, histogram.high
    if not low < 0 < high:
        return ""
    # Halves first: the span of the largest numbers is more than a number can hold.
    place = -low / 2 / (high / 2 - low / 2) * _BARS_WIDTH
    return f"{place - 0.5:.2f}"
