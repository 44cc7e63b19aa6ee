"""The content of the rows of hypernetworks, and how prompts, infotexts and grids represent it.

Pictures carry a row twice: as `<hypernet:NAME:STRENGTH>` at the end of the prompt, which every WebUI can read, and as
`Hypernetwork 1: "NAME:STRENGTH"` among the values, from which the rows are filled again. A name that
a tag cannot contain has an alias there: a composition typed as text, a name with `:`, `<` or `>`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...hypernetworks.base import numbers
from ...hypernetworks.base.errors import NumberError, SettingsError
from ...hypernetworks.base.options import to_bool
from ...hypernetworks.base.outside import shown
from ...hypernetworks.compose.nodes import spell
from . import tag_text

NONE = "None"
ROWS = 8
_KEY = "Hypernetwork"
_DEFAULTS = (NONE, 1.0, True)
_UNFIT = re.compile(r"[:<>\n]")
_DIGITS = 10
_CHANGES = "hnw_axis_values"
_meanings: dict[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: a listed network or composition, or a composition as text; `NONE` for none.
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
        """The tag of the row for a prompt."""
        return f"<hypernet:{tag_name(self.name)}:{spell(self.strength)}>"

    def is_named_in(self, prompt: str) -> bool:
        """Tell whether a prompt has a tag for the same network or composition already."""
        text, _ = tag_text.canonical(prompt)
        return re.search(rf"<hypernet:{re.escape(tag_name(self.name))}\s*[:：>]", text) is not None


def read(values: Sequence[Any]) -> tuple[list[Row], list[str]]:
    """Return the rows for the values of the page or of a request: name, strength and on or off of each in turn.

    Returns:
        All rows in order, and a sentence for each that cannot be used, which is off in the result.
    """
    rows: list[Row] = []
    problems: list[str] = []
    for start in range(0, len(values), len(_DEFAULTS)):
        given = list(values[start : start + len(_DEFAULTS)])
        name, strength, is_on = given + list(_DEFAULTS[len(given) :])
        row, number, label = Row(str(name or NONE).strip()), _number(strength), f"{_KEY} {len(rows) + 1}"
        try:
            row = dataclasses.replace(row, is_on=is_on is None or to_bool("its switch", is_on))
        except SettingsError as error:
            problems += [] if row.is_empty else [f"{label} was not used: {error.field} {error.reason}."]
            row = dataclasses.replace(row, is_on=False)
        if number is not None:
            row = dataclasses.replace(row, strength=number)
        elif row.is_on and not row.is_empty:
            problems.append(not_used(label, strength))
            row = dataclasses.replace(row, is_on=False)
        rows.append(row)
    return rows, problems


def used_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that are on and not empty."""
    return [row for row in rows if row.is_on and not row.is_empty]


def without_network(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a sentence for each row that has a strength of its own, but no network."""
    for number, row in enumerate(rows, 1):
        if row.is_on and row.is_empty and row.strength != Row.strength:
            yield f"{_KEY} {number} was not used: it has a strength, but no network."


def write(rows: Iterable[Row]) -> dict[str, str]:
    """Return the rows as values of an infotext, by key."""
    return {f"{_KEY} {number}": f"{row.name}:{spell(row.strength)}" for number, row in enumerate(rows, 1)}


def is_written_by_us(key: str) -> bool:
    """Tell whether a key of an infotext is one that `write` makes."""
    return re.fullmatch(rf"{_KEY} \d+", key) is not None


def from_infotext(params: Mapping[str, Any]) -> list[Row] | None:
    """Return the rows that the values of an infotext describe; None where they are only a text, without any values."""
    rows = []
    for number in range(1, ROWS + 1):
        name, _, strength = str(params.get(f"{_KEY} {number}", "")).rpartition(":")
        value = _number(strength)
        if name and value is not None:
            rows.append(Row(name, value))
    return rows if rows or "Steps" in params else None


def unread(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each row of an infotext that has no number for its strength."""
    for number in range(1, ROWS + 1):
        name, colon, strength = str(params.get(f"{_KEY} {number}", "")).rpartition(":")
        if colon and _number(strength) is None:
            yield not_used(f"{_KEY} {name}", strength)


def without_tags(prompt: str, rows: Iterable[Row]) -> str:
    """Return a prompt without the tags that the rows put at its end."""
    for row in reversed(list(rows)):
        before, tag, after = prompt.rpartition(row.tag)
        if tag:
            prompt = before + after
    return prompt


def tag_name(name: str) -> str:
    """Return `name`, or an alias, always the same, if a tag cannot contain the name."""
    if not _UNFIT.search(name):
        return name
    alias = f"mix-{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"
    _meanings[alias] = name
    return alias


def named_by(name: str) -> str:
    """Return the name that an alias in a tag stands for; a name that is no alias stands for itself."""
    return _meanings.get(name, name)


def with_axes(p: Any, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows with the values of a grid's axes, and a sentence for each axis that changes nothing."""
    result, problems = list(rows), []
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
    """Return the label of the axis for a row's name or strength."""
    return f"Hypernetwork {index + 1}" if field == "name" else f"Hypernetwork {index + 1} {field}"


def apply_axis(index: int, field: str) -> Callable[[Any, Any, Any], None]:
    """Return the function that a grid calls with each value of the axis for a row's name or strength."""

    def put(p: Any, value: Any, _values: Any) -> None:
        # The copies of `p` that a grid makes share their attributes' objects.
        setattr(p, _CHANGES, {**getattr(p, _CHANGES, {}), (index, field): value})

    return put


def not_used(what: str, strength: Any) -> str:
    """Return the sentence for a row or tag whose strength is no number."""
    reason = numbers.comma_reason(strength) or f"its strength must be a number, not {shown(strength)}"
    return f"{what} was not used: {reason}."


def _number(value: Any) -> float | None:
    try:
        return numbers.read(value)
    except NumberError:
        return None
