"""Registries: the members of one kind by name, and the options and rules of a settings class, added where defined."""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from .errors import SettingsError

T = TypeVar("T")
ClassT = TypeVar("ClassT")
CheckT = TypeVar("CheckT", bound=Callable[..., None])
#: Options that only some members have, as `setting` returns them, by name.
OwnOptions = Mapping[str, dataclasses.Field[Any]]


class Registry(Mapping[str, T]):
    """Members of one kind by name, in the order of forms and lists.

    Args:
        members: the first members.
        room: a package whose modules may add members; all are imported at the first access.
    """

    def __init__(self, members: Mapping[str, T] | None = None, room: str = "") -> None:
        self._room = room
        self._members = dict(members or {})
        self._orders: dict[str, float] = dict.fromkeys(self._members, 0)

    def add(self, name: str, member: T, order: float = 0) -> None:
        """Add a member after those of a smaller `order` and earlier ones of the same.

        Raises:
            ValueError: another member has this name.
        """
        if name in self._members:
            raise ValueError(f"two members are called {name}")
        self._orders[name] = order
        self._members[name] = member
        self._members = {one: self._members[one] for one in sorted(self._members, key=self._orders.__getitem__)}

    def __getitem__(self, name: str) -> T:
        return self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def _found(self) -> dict[str, T]:
        if self._room:
            for module in pkgutil.iter_modules(importlib.import_module(self._room).__path__, f"{self._room}."):
                importlib.import_module(module.name)
            self._room = ""
        return self._members


def gather(members: Iterable[OwnOptions]) -> dict[str, dataclasses.Field[Any]]:
    """Return the options of all members in their order; members may share options.

    Raises:
        ValueError: two members have different options of one name.
    """
    found: dict[str, dataclasses.Field[Any]] = {}
    for name, option in (pair for options in members for pair in options.items()):
        if found.setdefault(name, option) is not option:
            raise ValueError(f"two options are called {name}")
    return found


def with_options(options: OwnOptions, after: str) -> Callable[[type[ClassT]], type[ClassT]]:
    """Return a decorator that adds members' options to a settings class after its field `after`; below `@dataclass`.

    The type of each is that of its default, unless it tells another. Only the members read them, so type checkers need
    not know them.
    """

    def decorate(cls: type[ClassT]) -> type[ClassT]:
        kinds: dict[str, Any] = {}
        for field, kind in cls.__annotations__.items():
            kinds[field] = kind
            if field == after:
                kinds |= {name: one.metadata["kind"] or type(one.default) for name, one in options.items()}
        for name, option in options.items():
            setattr(cls, name, copy.copy(option))
        cls.__annotations__ = kinds
        return cls

    return decorate


def rule(*reads: str, each: bool = False) -> Callable[[CheckT], CheckT]:
    """Return a decorator for a method of a settings class that raises SettingsError where the settings break a rule.

    Args:
        reads: the fields that it reads; none of them is wrong by itself when it is called.
        each: whether it is called once for each of these fields, with its name.
    """

    def decorate(check: CheckT) -> CheckT:
        check.calls = [((name,), (name,)) for name in reads] if each else [(reads, ())]  # type: ignore[attr-defined]
        return check

    return decorate


def broken_rules(settings: Any, wrong: Collection[str]) -> Iterator[SettingsError]:
    """Yield an error for each rule that settings break; those that read a field in `wrong` are not asked."""
    for check in _rules(type(settings)):  # type: ignore[arg-type]  # a class has a hash, whatever its instances have
        for reads, arguments in check.calls:
            if any(name in wrong for name in reads):
                continue
            try:
                check(settings, *arguments)
            except SettingsError as error:
                yield error


@functools.cache
def _rules(kind: type) -> tuple[Any, ...]:
    """Return the rules of a class, its own before those of its bases."""
    named = {name: one for base in kind.__mro__ for name, one in vars(base).items() if hasattr(one, "calls")}
    return tuple(getattr(kind, name) for name in named)
