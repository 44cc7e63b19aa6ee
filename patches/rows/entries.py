"""The rows of hypernetworks beside txt2img and img2img: what they say, and how prompts, infotexts and grids carry it.

Pictures carry a row twice: as `<hypernet:NAME:STRENGTH>` at the end of the prompt, which every WebUI can read, and as
`Hypernetwork 1: "NAME:STRENGTH"` among the values, from which the rows are filled again. An alias stands in the tag
for a name that it cannot carry: a composition typed as text, a name with `:` or `>`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...hypernetworks.compose.nodes import spell

NONE = "None"
ROWS = 8
_KEY = "Hypernetwork"
_PARTS = 3
_UNFIT = re.compile(r"[:>\n]")
_DIGITS = 10
_CHANGES = "hnw_axis_values"
_meanings: dict[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: a listed network or composition, or a composition as text; `NONE` for nothing.
        strength: any finite number.
        is_on: whether it is used.
    """

    name: str = NONE
    strength: float = 1.0
    is_on: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is chosen."""
        return self.name in ("", NONE)

    @property
    def tag(self) -> str:
        """The row as it stands in a prompt."""
        return f"<hypernet:{in_tag(self.name)}:{spell(self.strength)}>"

    def is_named_in(self, prompt: str) -> bool:
        """Tell whether a prompt asks for the same by a tag of its own."""
        return re.search(rf"<hypernet:{re.escape(in_tag(self.name))}[:>]", prompt) is not None


def read(values: Sequence[Any]) -> tuple[list[Row], list[str]]:
    """Return the rows that the page's or a request's values give, name, strength and on or off in turn.

    Returns:
        All rows in order, and a sentence for each that cannot be used as it stands, which is off in the result.
    """
    rows: list[Row] = []
    problems: list[str] = []
    for start in range(0, len(values), _PARTS):
        name, strength, is_on = [*values[start : start + _PARTS], 1.0, True][:_PARTS]
        row = Row(str(name or NONE).strip(), 1.0, is_on is not False)
        number = _number(strength)
        if number is not None:
            row = dataclasses.replace(row, strength=number)
        elif row.is_on and not row.is_empty:
            problems.append(f"{_KEY} {len(rows) + 1} was not used: its strength must be a number, not {strength!r}.")
            row = dataclasses.replace(row, is_on=False)
        rows.append(row)
    return rows, problems


def in_use(rows: Iterable[Row]) -> list[Row]:
    """Those that are on and not empty."""
    return [row for row in rows if row.is_on and not row.is_empty]


def write(rows: Iterable[Row]) -> dict[str, str]:
    """Values for an infotext by key."""
    return {f"{_KEY} {number}": f"{row.name}:{spell(row.strength)}" for number, row in enumerate(rows, 1)}


def is_written_by_us(key: str) -> bool:
    """Tell whether an infotext's key is one of `write`."""
    return re.fullmatch(rf"{_KEY} \d+", key) is not None


def from_infotext(params: Mapping[str, Any]) -> list[Row] | None:
    """Return the rows that an infotext's values ask for; None for a mere text, which says nothing about them."""
    rows = []
    for number in range(1, ROWS + 1):
        name, _, strength = str(params.get(f"{_KEY} {number}", "")).rpartition(":")
        value = _number(strength)
        if name and value is not None:
            rows.append(Row(name, value))
    return rows if rows or "Steps" in params else None


def without_tags(prompt: str, rows: Iterable[Row]) -> str:
    """Return a prompt without the tags that the rows put at its end."""
    for row in reversed(list(rows)):
        before, tag, after = prompt.rpartition(row.tag)
        if tag:
            prompt = before + after
    return prompt


def in_tag(name: str) -> str:
    """`name`, or the name that stands for it where a tag cannot carry it; the same for the same name, always."""
    if not _UNFIT.search(name):
        return name
    alias = f"mix-{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"
    _meanings[alias] = name
    return alias


def meaning(name: str) -> str:
    """Tell what a name of a tag stands for, itself where it is no alias."""
    return _meanings.get(name, name)


def with_axes(p: Any, asked: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with what the axes of a grid put in their place, and a sentence for each that changes nothing."""
    result, problems = list(asked), []
    changes: Mapping[tuple[int, str], Any] = getattr(p, _CHANGES, {})
    for (index, field), value in sorted(changes.items()):  # names before strengths
        row = result[index]
        if field == "name":
            result[index] = dataclasses.replace(row, name=value, is_on=True)
        elif row.is_on and not row.is_empty:
            result[index] = dataclasses.replace(row, strength=value)
        elif (index, "name") not in changes:
            axis = axis_label(index, field)
            problems.append(f"{axis} changes nothing: {axis_label(index, 'name')} is empty or off.")
    return result, problems


def axis_label(index: int, field: str) -> str:
    """Name the axis of a row's name or strength."""
    return f"Hypernetwork {index + 1}" if field == "name" else f"Hypernetwork {index + 1} {field}"


def apply_axis(index: int, field: str) -> Callable[[Any, Any, Any], None]:
    """Return what the grid calls with a value of the axis of a row's name or strength."""

    def put(p: Any, value: Any, _values: Any) -> None:
        # The copies of `p` that a grid makes share what they hold.
        setattr(p, _CHANGES, {**getattr(p, _CHANGES, {}), (index, field): value})

    return put


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None
