"""The statistics of a report."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(name: str, values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Return the median as `name`, and the 10th and 90th percentile with it."""
    p10, p90 = percentile(values, 10), percentile(values, 90)
    found = {name: statistics.median(values), f"{name}_p10": p10, f"{name}_p90": p90}
    return {key: round(value, digits) for key, value in found.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` percent of the values lie, interpolated linearly."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
