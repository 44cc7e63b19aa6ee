"""Line charts as SVG text, drawn with the page's own colours so that they suit a light and a dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 56, 24, 22
_COLOURS = ("#3b82f6", "#f59e0b", "#10b981")
_TICKS = 4


@dataclass(frozen=True)
class Curve:
    """A named line through points (step, value)."""

    name: str
    points: Sequence[tuple[int, float]]


def draw_chart(curves: Sequence[Curve], right: Curve | None, last_step: int) -> str:
    """Return an SVG with `curves` on the left axis and `right` on an axis of its own, over steps 0..last_step."""
    shown = [curve for curve in curves if curve.points]
    parts = [_axis(shown, is_left=True)] if shown else []
    legend = [(curve.name, _COLOURS[number]) for number, curve in enumerate(curves) if curve.points]
    low, high = _range(shown)
    for number, curve in enumerate(curves):
        parts.append(_line(curve, (low, high), last_step, _COLOURS[number]))
    if right is not None and right.points:
        parts += [_axis([right], is_left=False), _line(right, _range([right]), last_step, _COLOURS[2])]
        legend.append((right.name, _COLOURS[2]))
    for number, (name, colour) in enumerate(legend):
        parts.append(_text(_LEFT + 110 * number, 14, name, "start", colour))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 6, f"step {last_step}", "end"))
    parts.append(_text(_LEFT, _HEIGHT - 6, "0", "start"))
    frame = f"M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}V{_TOP}"
    parts.append(f'<path d="{frame}" fill="none" stroke="currentColor" stroke-opacity="0.35"/>')
    names = escape(", ".join(name for name, _ in legend))
    return (
        f'<svg class="hnw-chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Chart of {names}" '
        f'font-size="11" font-family="sans-serif" fill="currentColor">{"".join(parts)}</svg>'
    )


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    values = [value for curve in curves for _, value in curve.points if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    # Rates and losses are never below 0, and their axis should not seem so.
    return low - margin if low < 0 else max(0.0, low - margin), high + margin


def _line(curve: Curve, limits: tuple[float, float], last_step: int, colour: str) -> str:
    low, high = limits
    points = [
        f"{_LEFT + step / max(last_step, 1) * (_WIDTH - _LEFT - _RIGHT):.1f},"
        f"{_TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM):.1f}"
        for step, value in curve.points
        if math.isfinite(value)
    ]
    if not points:
        return ""
    if len(points) == 1:
        x, _, y = points[0].partition(",")
        return f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>'
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _axis(curves: Sequence[Curve], is_left: bool) -> str:
    low, high = _range(curves)
    labels = []
    for tick in range(_TICKS + 1):
        value = low + (high - low) * tick / _TICKS
        y = _HEIGHT - _BOTTOM - tick / _TICKS * (_HEIGHT - _TOP - _BOTTOM) + 4
        x, anchor = (_LEFT - 4, "end") if is_left else (_WIDTH - _RIGHT + 4, "start")
        labels.append(_text(x, y, f"{value:.3g}", anchor))
    return "".join(labels)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "currentColor") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
