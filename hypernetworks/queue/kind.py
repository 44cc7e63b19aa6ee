"""Kinds of jobs: their interface and registry. Each is one decorated class in a file of the room `kinds`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from ..base.errors import SettingsError, raise_all
from ..base.options import Settings, read_sections
from ..base.registry import Registry

KindT = TypeVar("KindT", bound="type[QueuedJob]")


class QueuedJob(ABC):
    """A job with all of its settings: a frozen dataclass.

    Attributes:
        kind: its name in the registry.
        has_parts: whether its progress is that of the part at work, such as a trial, and not of the whole.
        own_sections: the settings of its tables with paths that jobs of a training do not have.
    """

    kind: ClassVar[str] = ""
    has_parts: ClassVar[bool] = False
    own_sections: ClassVar[Mapping[str, type[Settings]]] = {}

    @property
    @abstractmethod
    def title(self) -> str:
        """What the list calls it: the name of the network or of the dataset."""

    @property
    def units(self) -> int | None:
        """Its length in parts that take about the same time, such as optimizer steps; None where that is not known."""
        return None

    @abstractmethod
    def to_mapping(self) -> dict[str, Any]:
        """Return tables of plain values, as TOML and JSON take them."""

    @classmethod
    @abstractmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> QueuedJob:
        """Return the job of these tables; raises SettingsError, which names each wrong field as `section.key`."""


#: All kinds of jobs by name.
KINDS: Registry[type[QueuedJob]] = Registry(room=f"{__package__}.kinds")


def job_kind(name: str, order: float) -> Callable[[KindT], KindT]:
    """Return the decorator that adds a class to `KINDS`; smaller orders come first in lists."""

    def add(cls: KindT) -> KindT:
        cls.kind = name
        KINDS.add(name, cls, order)
        return cls

    return add


def job_of(kind: str, tables: Mapping[str, Any]) -> QueuedJob:
    """Return the job of a kind; raises SettingsError for an unknown kind and for settings that are wrong."""
    if kind not in KINDS:
        raise SettingsError("kind", f"must be one of {', '.join(KINDS)}, not {kind[:40]!r}")
    return KINDS[kind].from_mapping(tables)


def own_sections() -> dict[str, type[Settings]]:
    """Return the settings of the tables with paths that jobs of a training do not have, of all kinds."""
    return {name: settings for job in KINDS.values() for name, settings in job.own_sections.items()}


def settings_of(sections: Mapping[str, type[Settings]], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of all tables of a job, by section; raises SettingsError, also for one that is not known."""
    known = " or ".join(f"[{name}]" for name in sections)
    unknown = [SettingsError(name, f"belongs into {known}") for name in tables if name not in sections]
    made, errors = read_sections(sections, tables)
    raise_all([*unknown, *errors])
    return made
