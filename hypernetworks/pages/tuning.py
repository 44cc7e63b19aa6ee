"""The answer of a study as a page: table, importance, parallel coordinates and curves."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from . import charts, elements

_FILE = "tuning.html"
_WIDTH, _HEIGHT, _TOP, _SIDE = 760, 260, 34, 60
_WORST = (148, 163, 184)
_BEST = (0, 114, 178)
_DIGITS = 4


@dataclass(frozen=True)
class Axis:
    """An axis of parallel coordinates.

    Attributes:
        name: above it.
        values: one for each line: numbers, or anything else by its text.
        is_log: whether equal ratios have equal distances.
    """

    name: str
    values: Sequence[Any]
    is_log: bool = False

    def places(self) -> list[float]:
        """Return where each line crosses the axis, from 0 at the bottom to 1."""
        numbers = self._numbers()
        low, high = min(numbers), max(numbers)
        return [(number - low) / (high - low) if high > low else 0.5 for number in numbers]

    def marks(self) -> list[tuple[float, str]]:
        """Return height from 0 to 1 and words of each mark: every value of a list, both ends of a range."""
        pairs = sorted(dict(zip(self.places(), map(_cell, self.values), strict=True)).items())
        return pairs if self._is_list else list(dict.fromkeys((pairs[0], pairs[-1])))

    @property
    def _is_list(self) -> bool:
        return not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in self.values)

    def _numbers(self) -> list[float]:
        if self._is_list:
            known = sorted(set(map(_cell, self.values)))
            return [float(known.index(_cell(value))) for value in self.values]
        return [math.log(value) if self.is_log and value > 0 else float(value) for value in self.values]


@dataclass(frozen=True)
class Shown:
    """What the page shows of a study.

    Attributes:
        head, rows: the table; a cell is a text or a number, or None.
        best: numbers of the trials that none beats.
        importance: label and share of each parameter.
        axes: what is tried, and the first objective last.
        curves: name, loss and validation loss of the best trials.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    best: Sequence[int]
    importance: Sequence[tuple[str, float]]
    axes: Sequence[Axis]
    curves: Sequence[charts.RunCurves]


def answer(study: Shown) -> str:
    """Return the answer of a study."""
    rows = [([_cell(cell) for cell in row], row[0] in study.best) for row in study.rows]
    importance = [(name, elements.share(round(share, 2)), f"{100 * share:.0f}%") for name, share in study.importance]
    legend = [(curve[0], charts.colour(number)) for number, curve in enumerate(study.curves)]
    chart = charts.draw_runs(study.curves) if study.curves else Markup()
    return elements.page(_FILE, "answer", study.head, rows, importance, _coordinates(study.axes), chart, legend)


def _coordinates(axes: Sequence[Axis]) -> Markup:
    """Return parallel coordinates as SVG: a line for each trial, the darker the lower it is on the last axis."""
    if len(axes) < 2 or not axes[0].values:  # noqa: PLR2004 - what is tried, and what came of it
        return Markup()
    gap = (_WIDTH - 2 * _SIDE) / (len(axes) - 1)
    across = [_SIDE + gap * number for number in range(len(axes))]
    places = [axis.places() for axis in axes]
    order = sorted(range(len(axes[0].values)), key=lambda line: -places[-1][line])
    lines = [
        (
            " ".join(f"{x:.1f},{_down(axis[line]):.1f}" for x, axis in zip(across, places, strict=True)),
            _shade(rank, order),
        )
        for rank, line in enumerate(order)
    ]
    drawn = [
        (f"{x:.1f}", axis.name, [(f"{_down(place):.1f}", words) for place, words in axis.marks()])
        for x, axis in zip(across, axes, strict=True)
    ]
    return elements.piece(_FILE, "coordinates", _WIDTH, _HEIGHT + _TOP + 12, _TOP, _TOP + _HEIGHT, drawn, lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _down(place: float) -> float:
    return _TOP + _HEIGHT * (1 - place)


def _shade(rank: int, order: Sequence[int]) -> str:
    share = rank / max(len(order) - 1, 1)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(_WORST, _BEST, strict=True))
