"""Histograms as SVG that takes its colours from the page, so that it suits light and dark themes."""

from __future__ import annotations

from html import escape

from ..report import Histogram

_WIDTH = 180
_HEIGHT = 34
_GAP = 0.5


def draw(histogram: Histogram, title: str = "") -> str:
    """Return an SVG element: a bar for each bin, the highest as high as the picture, and a line where 0 is.

    Args:
        title: shown while the pointer rests on it.
    """
    highest = max((0, *histogram.counts))
    step = _WIDTH / max(len(histogram.counts), 1)
    bars = [
        _bar(index * step, step, count / highest) for index, count in enumerate(histogram.counts) if count and highest
    ]
    return (
        f'<svg class="hnw-histogram" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" fill="currentColor">'
        f"<title>{escape(title)}</title>"
        f'<rect y="{_HEIGHT - 1}" width="{_WIDTH}" height="1" opacity="0.3"/>{"".join(bars)}{_zero(histogram)}</svg>'
    )


def _bar(left: float, width: float, share: float) -> str:
    # A single value must still be seen beside millions in another bin.
    height = max(share * (_HEIGHT - 2), 1)
    top = _HEIGHT - 1 - height
    return (
        f'<rect x="{left + _GAP / 2:.2f}" y="{top:.2f}" width="{width - _GAP:.2f}" height="{height:.2f}" '
        'fill="#3b82f6"/>'
    )


def _zero(histogram: Histogram) -> str:
    low, high = histogram.low, histogram.high
    if not low < 0 < high:
        return ""
    # Halves first: the span of the largest numbers is more than a number can hold.
    place = -low / 2 / (high / 2 - low / 2) * _WIDTH
    return f'<rect x="{place - 0.5:.2f}" width="1" height="{_HEIGHT}" opacity="0.45"/>'
