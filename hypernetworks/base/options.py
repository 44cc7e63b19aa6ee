"""How a setting is declared: a frozen dataclass field with its label, help and limits, checked where it is declared.

The form, the job file, the log and the metadata all read the same `Option`.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from . import numbers, paths
from .errors import NumberError, PathTextError, SettingsError, raise_all
from .intervals import has_unit
from .numbers import in_full
from .outside import shown
from .registry import broken_rules
from .suggestions import meant, or_known

_MOST_PARTS, _MOST_CHARACTERS = 10_000, 1_000_000
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
#: The type of a length of a run: a number of steps, or a text with its unit such as `10 epochs`.
LENGTH = int | str
_READERS: Mapping[Any, Callable[[Any], Any]] = {int: numbers.read_whole, float: numbers.read}


@dataclass(frozen=True)
class Group:
    """A fold of a form: settings of one subject that most people leave as they are.

    Attributes:
        id: the last part of the id of the fold in the page.
        title: its heading.
    """

    id: str
    title: str


@dataclass(frozen=True)
class Option:
    """The description of a setting, and the limits of its value.

    Attributes:
        label: the name in the form; unique within a form.
        help: one sentence under the field.
        group: the fold of the form that it is in; None keeps it in sight.
        starts_row: whether it begins a new row of the form; else it stands beside the previous setting.
        minimum, maximum: inclusive limits of a number, or of each number of a list.
        above: exclusive lower limit of such a number.
        choices: the only values allowed; empty where all are. A registry stands for its members, also later ones.
        others: takes name and value of one that is not in `choices`, and raises SettingsError; None allows no other.
        is_path: whether the text names a file or folder; a relative one counts from the folder of the job file.
        starts_with_paths: the same for each line of the text; more may follow after a bar.
        lines: height of the text field, in lines.
        keeps_blanks: whether blanks around the text are part of it.
        needs_gpu: the values that change nothing where the model is on the CPU.
    """

    label: str
    help: str
    group: Group | None = None
    starts_row: bool = False
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: Collection[str] = ()
    others: Callable[[str, Any], None] | None = None
    is_path: bool = False
    starts_with_paths: bool = False
    lines: int = 1
    keeps_blanks: bool = False
    needs_gpu: tuple[Any, ...] = ()


def setting(default: Any, label: str, help: str, kind: Any = None, **more: Any) -> Any:
    """Return a dataclass field with an `Option` made of the other arguments; `kind` is its type where nothing tells."""
    return dataclasses.field(default=default, metadata={"option": Option(label, help, **more), "kind": kind})


SettingsT = TypeVar("SettingsT", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """Base of all settings: conversion from text and plain values, and the checks of every `Option`.

    A subclass adds its own checks, such as of fields together, as methods decorated with `registry.rule`.
    """

    def __post_init__(self) -> None:
        errors: dict[str, SettingsError] = {}
        for name, kind, option in self.options():
            try:
                value = take(name, getattr(self, name), kind, option)
            except SettingsError as error:
                errors[name] = error
            else:
                object.__setattr__(self, name, value)
        raise_all([*errors.values(), *broken_rules(self, errors)])

    @classmethod
    def options(cls) -> list[tuple[str, Any, Option]]:
        """Return name, type and option of every field, in the order of declaration."""
        return list(_options(cls))  # type: ignore[arg-type]  # a class has a hash, whatever its instances have

    @classmethod
    def rows(cls, group: Group | None) -> list[list[str]]:
        """Return the fields of a fold, or with None of those in sight, row by row in the order of declaration."""
        rows: list[list[str]] = []
        for name, _, option in cls.options():
            if option.group == group:
                if option.starts_row or not rows:
                    rows.append([])
                rows[-1].append(name)
        return rows

    @classmethod
    def from_mapping(
        cls: type[SettingsT], values: Mapping[str, Any], elsewhere: Mapping[str, str] | None = None
    ) -> SettingsT:
        """Return the settings made from plain values or texts.

        Args:
            elsewhere: names of settings that are not of this class, each with what to write for it.

        Raises:
            SettingsError: a key is unknown or a value is wrong; names the key, if `values` is a table.
        """
        if not isinstance(values, Mapping):
            raise SettingsError("", "must be a table of settings")
        known = sorted(f.name for f in dataclasses.fields(cls))
        errors = [
            SettingsError(key, f"there is no such setting; {or_known(meant(str(key), known, elsewhere), known)}")
            for key in values
            if key not in known
        ]
        try:
            settings = cls(**{key: value for key, value in values.items() if key in known})
        except SettingsError as error:
            errors.append(error)
        raise_all(errors)
        return settings

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values (numbers, texts, lists), as TOML and JSON take them."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@functools.cache
def _options(cls: type[Settings]) -> tuple[tuple[str, Any, Option], ...]:
    """Return what `Settings.options` does, once for each class: types are looked up for longer than values are read."""
    kinds = typing.get_type_hints(cls)
    return tuple((f.name, kinds[f.name], f.metadata["option"]) for f in dataclasses.fields(cls))


def groups(kinds: Iterable[type[Settings]]) -> list[Group]:
    """Return the folds of a form of these settings classes, each once, in the order of declaration."""
    options = (option for kind in kinds for _, _, option in kind.options())
    return list(dict.fromkeys(option.group for option in options if option.group))


def from_tables(kinds: Mapping[str, type[Settings]], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of several tables, by section; raise what is wrong as `read_sections` returns it, at once."""
    sections, errors = read_sections(kinds, tables)
    raise_all(errors)
    return sections


def read_sections(
    kinds: Mapping[str, type[Settings]], tables: Mapping[str, Any], elsewhere: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], list[SettingsError]]:
    """Return the settings of the tables that are right, by section, and what is wrong, with `section.key`.

    Args:
        kinds: the settings of each section; a missing table counts as empty.
        elsewhere: names by which people know settings, each with its section and name here.
    """
    errors: list[SettingsError] = []
    sections: dict[str, Any] = {}
    for section, kind in kinds.items():
        try:
            sections[section] = kind.from_mapping(tables.get(section, {}), elsewhere)
        except SettingsError as error:
            errors.append(error.within(section))
    return sections, errors


def take(name: str, given: Any, kind: Any, option: Option) -> Any:
    """Return a text or plain value as its setting has it: converted, a path read, and within its limits.

    Raises:
        SettingsError: it cannot be that; names `name`.
    """
    if option.lines > 1:
        given = in_lines(given)
    value = convert(name, given, kind)
    if option.keeps_blanks and isinstance(given, str):
        value = given
    try:
        if option.is_path:
            value = paths.read_path(given if isinstance(given, str) else value)
        elif option.starts_with_paths:
            value = "\n".join(map(paths.read_line, value.splitlines()))
    except PathTextError as error:
        raise SettingsError(name, str(error)) from None
    check_limits(name, value, option)
    return value


def in_lines(value: Any) -> Any:
    """Return a list of texts, as a file may have them for a field of several lines, as one text; else the value."""
    is_lines = isinstance(value, (list, tuple)) and all(isinstance(one, str) and "\n" not in one for one in value)
    return "\n".join(value) if is_lines else value


def convert(name: str, value: Any, kind: Any) -> Any:
    """Convert a text or plain value to `kind`: str, int, float, bool, a tuple of ints or floats, or `LENGTH`.

    Raises:
        SettingsError: the value cannot be read as that kind.
    """
    if kind is bool:
        return to_bool(name, value)
    if kind == LENGTH:
        kind = str if isinstance(value, str) and has_unit(value) else int
    if kind is str:
        return _to_text(name, value)
    try:
        if kind in _READERS:
            return _READERS[kind](value)
        parts = _parts(name, value)
        if len(parts) > _MOST_PARTS:
            raise SettingsError(name, f"has more than {_MOST_PARTS} numbers")
        return tuple(_READERS[typing.get_args(kind)[0]](part) for part in parts)
    except NumberError as error:
        raise SettingsError(name, str(error)) from None


def _to_text(name: str, value: Any) -> str:
    if isinstance(value, numbers.Typed):
        return value.typed
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # a job file may have rate = 0.005 and every = 100 without quotes
    if isinstance(value, (datetime.date, datetime.time)):
        raise SettingsError(name, f"must be a text; put {value} in quotes")
    if not isinstance(value, str):
        raise SettingsError(name, f"must be a text, not {shown(value)}")
    if len(value) > _MOST_CHARACTERS:
        raise SettingsError(name, f"is longer than {_MOST_CHARACTERS:,} characters")
    return value.strip()


def as_text(value: Any) -> str:
    """Return a value as a form shows it, a list as `1, 2, 1`."""
    return ", ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)


def check_limits(name: str, value: Any, option: Option) -> None:
    """Raise SettingsError if `value` is outside the limits or the choices of `option`."""
    if option.choices and value not in option.choices:
        if option.others is None:
            raise SettingsError(name, f"must be one of {', '.join(option.choices)}, not {shown(value)}")
        option.others(name, value)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, (str, bool)):
            continue
        if option.minimum is not None and number < option.minimum:
            raise SettingsError(name, f"must be at least {in_full(option.minimum)}, not {in_full(number)}")
        if option.above is not None and number <= option.above:
            raise SettingsError(name, f"must be above {in_full(option.above)}")
        if option.maximum is not None and number > option.maximum:
            raise SettingsError(name, f"must be at most {in_full(option.maximum)}, not {in_full(number)}")


def _parts(name: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        return numbers.split(value)
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [value]
    raise SettingsError(name, f"must be a list of numbers such as 1, 2, 1, not {shown(value)}")


def to_bool(name: str, value: Any) -> bool:
    """Return the truth value that `value` is or spells; raises SettingsError, naming `name`."""
    if isinstance(value, bool):
        return value
    is_plain = isinstance(value, (int, float))
    text = numbers.plain(value).strip().lower() if isinstance(value, str) else str(value) if is_plain else ""
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise SettingsError(name, f"must be true or false, not {shown(value)}")
