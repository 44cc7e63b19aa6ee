"""What presets are of: the shape of a new network, the data, the training; with those that are shipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from ..base.errors import ErrorCollector, SettingsError
from ..base.options import Option, take
from ..data.settings import DataSettings
from ..network import presets as shapes
from ..network.settings import ShapeSettings
from ..train.settings import presets as trainings
from ..train.settings.job import SECTIONS
from ..train.settings.job_file import table_text
from . import create_files, train_files

_TRAINING = ("optimizer", "schedule", "loss", "train", "preview", "output")
#: What belongs to one network or one dataset, and so into no preset.
_NOT_OF_TRAINING = {
    "preview.prompt",
    "preview.prompt_file",
    "output.name",
    "output.dir",
    "output.overwrite",
    "output.resume_changed",
}


class Shipped(Protocol):
    """A preset that comes with the extension, or one of a user."""

    @property
    def name(self) -> str:
        """Its name in the list."""

    @property
    def advice(self) -> str:
        """One sentence about its use."""

    def values(self) -> dict[str, Any]:
        """Return the values that it fills in, by the addresses of the form."""


class Loaded(Protocol):
    """What a file gave."""

    values: dict[str, Any]


@dataclass(frozen=True)
class DataPreset:
    """Settings of pictures and captions."""

    name: str
    advice: str
    changes: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """Return all values that the preset sets, as plain values by `data.key`."""
        return {f"data.{name}": self.changes.get(name, getattr(DataSettings, name)) for name in _DECIDED}


#: What every shipped preset for data sets; all other settings stay as they are.
_DECIDED = ("shuffle_tags", "keep_tags", "tag_dropout", "caption_dropout", "flip", "masks", "template")

DATA_PRESETS = (
    DataPreset(
        "Captions as they are",
        "Each picture is learnt with its whole caption, tags or sentences.",
        {},
    ),
    DataPreset(
        "Booru tags",
        "The first tag stays in front; the others are shuffled and now and then left out, so that each is learnt by "
        "itself.",
        {"shuffle_tags": True, "keep_tags": 1, "tag_dropout": 0.1},
    ),
    DataPreset(
        "Sentences",
        "Captions stay whole; one picture in ten is learnt without its caption, so that the style needs no words.",
        {"caption_dropout": 0.1},
    ),
    DataPreset(
        "Few pictures",
        "For less than 20 pictures that also look right mirrored: half of the time they are.",
        {"flip": True, "caption_dropout": 0.1},
    ),
    DataPreset(
        "Cut-out figures",
        "Only what is not transparent is learnt.",
        {"masks": "alpha"},
    ),
)


@dataclass(frozen=True)
class PresetKind:
    """What presets of one kind hold.

    Attributes:
        name: part of the names of their files.
        original: how the names of the original extension's files of this kind end; empty where it has none.
        shipped: those that come with the extension.
        options: type and description of each value, by its address in the form.
        read: reads a settings file.
        section: section of the addresses that have none.
    """

    name: str
    original: str
    shipped: tuple[Shipped, ...]
    options: Mapping[str, tuple[Any, Option]]
    read: Callable[[bytes, str], Loaded]
    section: str = ""

    def taken(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a form that a preset of this kind holds, as plain values.

        Raises:
            SettingsError: names each wrong value.
        """
        checks, found = ErrorCollector(), {}
        for address, (kind, option) in self.options.items():
            with checks:
                value = take(address, values[address], kind, option)
                found[address] = list(value) if isinstance(value, tuple) else value
        checks.raise_all()
        return found

    def readable(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a form that a preset of this kind may hold and that can be read, as plain values."""
        found = {}
        for address, (kind, option) in self.options.items():
            with suppress(SettingsError):
                value = take(address, values[address], kind, option) if address in values else None
                found[address] = list(value) if isinstance(value, tuple) else value
        return found

    def text(self, values: Mapping[str, Any]) -> str:
        """Return values as the tables of a job file."""
        tables: dict[str, dict[str, Any]] = {}
        for address, value in values.items():
            section, _, name = address.rpartition(".")
            tables.setdefault(section or self.section, {})[name] = value
        return "\n".join(table_text(name, table) for name, table in tables.items())


def _options(*sections: str, but: Callable[[str, Option], bool]) -> dict[str, tuple[Any, Option]]:
    return {
        f"{section}.{name}": (kind, option)
        for section in sections
        for name, kind, option in SECTIONS[section].options()
        if not but(f"{section}.{name}", option)
    }


CREATION = PresetKind(
    "creation",
    "_hypernetwork_.json",
    shapes.PRESETS,
    {name: (kind, option) for name, kind, option in ShapeSettings.options() if name != "widths"},
    create_files.read,
    "network",
)
DATA = PresetKind(
    "data",
    "",
    DATA_PRESETS,
    _options("data", but=lambda _, option: option.is_path or option.starts_with_paths),
    train_files.read,
)
TRAINING = PresetKind(
    "training",
    "_train_.json",
    trainings.PRESETS,
    _options(*_TRAINING, but=lambda address, _: address in _NOT_OF_TRAINING),
    train_files.read,
)
KINDS = (CREATION, DATA, TRAINING)
