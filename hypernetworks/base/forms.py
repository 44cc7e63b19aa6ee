"""The forms of values that come from files: declared once, and checked before anything uses the values.

A form takes a value as it is used afterwards, or refuses it in words that name its place:

    Record({"step": Whole(0, 100), "loss": Number()}).take({"step": -5, "loss": 0.5})
    UnfitError: step must be a whole number from 0 to 100, not -5
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

_SHOWN_CHARACTERS = 40


class UnfitError(ValueError):
    """A value from a file does not have the form it must have; the message does not name the file."""


class Form(ABC):
    """What a value may be."""

    @abstractmethod
    def take(self, value: Any, place: str = "") -> Any:
        """Return `value` in the type that the form promises; raises UnfitError, which names `place`."""


@dataclass(frozen=True)
class Anything(Form):
    """Any value; something else looks at it later."""

    def take(self, value: Any, place: str = "") -> Any:
        """Return the value."""
        return value


@dataclass(frozen=True)
class Whole(Form):
    """A whole number within limits, never true or false."""

    minimum: int
    maximum: int

    def take(self, value: Any, place: str = "") -> int:
        """Return the number."""
        if type(value) is not int or not self.minimum <= value <= self.maximum:
            _refuse(place, f"must be a whole number from {self.minimum} to {self.maximum}", value)
        return value


@dataclass(frozen=True)
class Number(Form):
    """A number within limits, never true or false; a finite one unless `is_finite` is off."""

    minimum: float = -math.inf
    maximum: float = math.inf
    is_finite: bool = True

    def take(self, value: Any, place: str = "") -> float:
        """Return the number, a whole one as it is."""
        if type(value) not in (int, float):
            _refuse(place, "must be a number", value)
        if isinstance(value, float) and not math.isfinite(value):
            if self.is_finite:
                _refuse(place, "must be a finite number", value)
        elif not self.minimum <= value <= self.maximum:
            _refuse(place, f"must be a number from {self.minimum:g} to {self.maximum:g}", value)
        return value


#: A number of optimizer steps.
STEPS = Whole(0, 1_000_000_000)


@dataclass(frozen=True)
class Text(Form):
    """A text of at most `max_length` characters, all of which match `pattern` where there is one."""

    max_length: int = 4096
    pattern: str | None = None

    def take(self, value: Any, place: str = "") -> str:
        """Return the text."""
        if not isinstance(value, str) or len(value) > self.max_length:
            _refuse(place, f"must be a text of at most {self.max_length} characters", value)
        if self.pattern is not None and not re.fullmatch(self.pattern, value, re.DOTALL):
            _refuse(place, "is a text of another form", value)
        return value


@dataclass(frozen=True)
class Exactly(Form):
    """One value, and its type."""

    value: Any

    def take(self, value: Any, place: str = "") -> Any:
        """Return the value."""
        if type(value) is not type(self.value) or value != self.value:
            _refuse(place, f"must be {self.value!r}", value)
        return value


@dataclass(frozen=True)
class Flag(Form):
    """True or false."""

    def take(self, value: Any, place: str = "") -> bool:
        """Return the flag."""
        if not isinstance(value, bool):
            _refuse(place, "must be true or false", value)
        return value


@dataclass(frozen=True)
class Maybe(Form):
    """None, or a value of another form."""

    form: Form

    def take(self, value: Any, place: str = "") -> Any:
        """Return None or the value."""
        return None if value is None else self.form.take(value, place)


@dataclass(frozen=True)
class Row(Form):
    """A list or tuple with one value for each form."""

    forms: tuple[Form, ...]

    def take(self, value: Any, place: str = "") -> tuple[Any, ...]:
        """Return the values as a tuple."""
        if not isinstance(value, (list, tuple)) or len(value) != len(self.forms):
            _refuse(place, f"must be {len(self.forms)} values", value)
        parts = zip(self.forms, value, strict=True)
        return tuple(form.take(part, f"{place}[{index}]") for index, (form, part) in enumerate(parts))


@dataclass(frozen=True)
class ListOf(Form):
    """A list or tuple of up to `max_length` values of one form."""

    form: Form
    max_length: int

    def take(self, value: Any, place: str = "") -> list[Any]:
        """Return the values as a list."""
        if not isinstance(value, (list, tuple)) or len(value) > self.max_length:
            _refuse(place, f"must be a list of at most {self.max_length} values", value)
        return [self.form.take(part, f"{place}[{index}]") for index, part in enumerate(value)]


@dataclass(frozen=True)
class Table(Form):
    """A dict of up to `max_length` entries whose keys share one form, and whose values share another."""

    key: Form
    value: Form
    max_length: int

    def take(self, value: Any, place: str = "") -> dict[Any, Any]:
        """Return the entries."""
        if not isinstance(value, Mapping) or len(value) > self.max_length:
            _refuse(place, f"must be a table of at most {self.max_length} entries", value)
        return {
            self.key.take(key, f"a key of {place or 'the table'}"): self.value.take(part, _below(place, key))
            for key, part in value.items()
        }


@dataclass(frozen=True)
class Record(Form):
    """A dict with a form for each of its keys; no other key may be there.

    Attributes:
        optional: keys that may be missing.
    """

    fields: Mapping[str, Form]
    optional: frozenset[str] = frozenset()

    def take(self, value: Any, place: str = "") -> dict[str, Any]:
        """Return the values by key, in the order of the form."""
        if not isinstance(value, Mapping):
            _refuse(place, "must be a table", value)
        for key in value:
            if key not in self.fields:
                raise UnfitError(f"{place or 'it'} has {_shown(key)}, which does not belong there")
        for key in self.fields:
            if key not in value and key not in self.optional:
                raise UnfitError(f"{place or 'it'} lacks {key}")
        return {key: form.take(value[key], _below(place, key)) for key, form in self.fields.items() if key in value}


@dataclass(frozen=True)
class Array(Form):
    """A tensor with all its numbers in memory of its own, none of them NaN or outside the limits.

    A tensor without axes may be a plain number in the file.

    Attributes:
        shape: length of each axis; None for any from 1 on.
    """

    shape: tuple[int | None, ...]
    dtype: torch.dtype
    minimum: float = -math.inf
    maximum: float = math.inf

    def take(self, value: Any, place: str = "") -> Tensor:
        """Return the tensor."""
        if not self.shape and type(value) in (int, float):
            value = torch.tensor(Number(self.minimum, self.maximum).take(value, place), dtype=self.dtype)
        if not isinstance(value, Tensor):
            _refuse(place, "must be a tensor", value)
        if len(value.shape) != len(self.shape) or not all(
            found > 0 if wanted is None else found == wanted
            for found, wanted in zip(value.shape, self.shape, strict=True)
        ):
            wanted_shape = ["any" if length is None else length for length in self.shape]
            _say(place, f"has the shape {list(value.shape)} in place of {wanted_shape}")
        if value.dtype != self.dtype:
            _say(place, f"is of {value.dtype} in place of {self.dtype}")
        if value.layout != torch.strided or value.device.type == "meta" or not value.is_contiguous():
            _say(place, "is no tensor with its numbers one after another")
        if value.numel() and value.dtype != torch.bool:
            low, high = (limit.item() for limit in value.aminmax())
            if not (math.isfinite(low) and math.isfinite(high)):
                _say(place, "has numbers that are not finite")
            if low < self.minimum or high > self.maximum:
                _say(place, f"has numbers outside {self.minimum:g} to {self.maximum:g}")
        return value


def check_memory(value: Any) -> None:
    """Refuse tensors in nested containers that share their numbers, and so take more memory than the file has.

    Raises:
        UnfitError: there are such tensors.
    """
    tensors = list(_tensors(value))
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    if sum(tensor.nbytes for tensor in tensors) > sum(storages.values()):
        raise UnfitError("its tensors share the same data")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _below(place: str, key: Any) -> str:
    name = str(key)[:_SHOWN_CHARACTERS]
    return f"{place}.{name}" if place else name


def _shown(value: Any) -> str:
    """Return a value for a message: texts and numbers as they are, shortened, anything else by its type."""
    if value is None or isinstance(value, (bool, int, float, str)):
        try:
            text = repr(value)
        except ValueError:  # Python writes out no number of thousands of digits
            return "a number of thousands of digits"
        return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    if isinstance(value, (list, tuple)):
        return f"{len(value)} values"
    return f"a table of {len(value)} entries" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _refuse(place: str, wanted: str, value: Any) -> NoReturn:
    _say(place, f"{wanted}, not {_shown(value)}")


def _say(place: str, reason: str) -> NoReturn:
    raise UnfitError(f"{place or 'it'} {reason}")
