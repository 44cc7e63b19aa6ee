"""What the axes of a grid of pictures put in the place of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .entries import Row

_CHANGES = "hnw_axis_values"

_Where = tuple[int, str]


def changed(p: Any, asked: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with what the axes of a grid put in their place, and a sentence for each that changes nothing."""
    result, problems = list(asked), []
    changes: Mapping[_Where, Any] = getattr(p, _CHANGES, {})
    for (index, field), value in sorted(changes.items()):  # names before strengths
        row = result[index]
        if field == "name":
            result[index] = dataclasses.replace(row, name=value, is_on=True)
        elif row.is_on and not row.is_empty:
            result[index] = dataclasses.replace(row, strength=value)
        elif (index, "name") not in changes:
            problems.append(f"{label(index, 'strength')} changes nothing: Hypernetwork {index + 1} is empty or off.")
    return result, problems


def label(index: int, field: str) -> str:
    """Name the axis of a row's name or strength."""
    return f"Hypernetwork {index + 1}" if field == "name" else f"Hypernetwork {index + 1} {field}"


def apply(index: int, field: str) -> Callable[[Any, Any, Any], None]:
    """Return what the grid calls with a value of the axis of a row's name or strength."""

    def put(p: Any, value: Any, _values: Any) -> None:
        # The copies of `p` that a grid makes share what they hold.
        setattr(p, _CHANGES, {**getattr(p, _CHANGES, {}), (index, field): value})

    return put
