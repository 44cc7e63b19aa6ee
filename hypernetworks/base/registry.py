"""The members of one kind by name: each is added where it is defined, and found by all who ask."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
ClassT = TypeVar("ClassT")
#: Options that only some members have, each as `setting` gives it, by name.
OwnOptions = Mapping[str, dataclasses.Field[Any]]


class Registry(Mapping[str, T]):
    """Members of one kind by name, in the order in which people see them.

    Args:
        members: those to begin with.
        room: a package of which any module may add members; all are imported before the first look.
    """

    def __init__(self, members: Mapping[str, T] | None = None, room: str = "") -> None:
        self._room = room
        self._members = dict(members or {})
        self._orders: dict[str, float] = dict.fromkeys(self._members, 0)

    def add(self, name: str, member: T, order: float = 0) -> None:
        """Take a member in, behind those of a smaller `order` and those of the same that are there already.

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
    """Return the options of all members in their order; several members may share one.

    Raises:
        ValueError: two members have different options of one name.
    """
    found: dict[str, dataclasses.Field[Any]] = {}
    for name, option in (pair for options in members for pair in options.items()):
        if found.setdefault(name, option) is not option:
            raise ValueError(f"two options are called {name}")
    return found


def with_options(options: OwnOptions, after: str) -> Callable[[type[ClassT]], type[ClassT]]:
    """Add options of members to a settings class, behind its field `after`; to be written under `@dataclass`.

    The type of each is that of its default. Only the member itself reads it, so type checkers need not know it.
    """

    def decorate(cls: type[ClassT]) -> type[ClassT]:
        kinds: dict[str, Any] = {}
        for field, kind in cls.__annotations__.items():
            kinds[field] = kind
            if field == after:
                kinds |= {name: type(option.default) for name, option in options.items()}
        for name, option in options.items():
            setattr(cls, name, copy.copy(option))
        cls.__annotations__ = kinds
        return cls

    return decorate
