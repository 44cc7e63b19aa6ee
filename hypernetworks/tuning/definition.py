"""What a study is made of, as a text that is kept with it: who comes later must have the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..base.forms import Anything, Exactly, Record, Table, Text, UnfitError
from ..base.outside import shown
from ..train.origin import MAX_CHARACTERS, Origin
from .space import Choices, Parameter, Range, Space
from .space.settings import TuneSettings
from .trials import StudyError

_VERSION = 1
#: How long a study goes on may change; so may the names of files, whose contents are in what is tried.
_FREE = ("trials", "max_steps", "max_minutes", "ranges", "creation_files", "training_files")
_SHORT = Text(200)
_FORM = Record(
    {
        "version": Exactly(_VERSION),
        "tables": Table(_SHORT, Anything(), 100),
        "tune": Table(_SHORT, Anything(), 100),
        "space": Text(MAX_CHARACTERS),
        "network": Text(64, "[0-9a-f]*"),
        "origin": Text(MAX_CHARACTERS),
    }
)


@dataclass(frozen=True)
class Definition:
    """What a study is made of.

    Attributes:
        tables: the job without what is tried, as plain values.
        tune: the section `[tune]`.
        space: what is tried.
        network: fingerprint of the file of the network that is trained; empty where new ones are made.
        origin: pictures, captions, checkpoint and settings, by fingerprint.
    """

    tables: Mapping[str, Any]
    tune: Mapping[str, Any]
    space: str
    network: str
    origin: Origin

    @classmethod
    def of(cls, tables: Mapping[str, Any], settings: TuneSettings, space: Space, origin: Origin) -> Definition:
        """Return that of a study."""
        file = (tables.get("network") or {}).get("file") or ""
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
        tried = json.dumps([asdict(parameter) for parameter in space.parameters], ensure_ascii=False)
        return cls(tables, settings.to_mapping(), tried, digest, origin)

    @classmethod
    def read(cls, text: str) -> Definition:
        """Return what `text` gave; raises StudyError for a text of another form."""
        try:
            found = _FORM.take(json.loads(text))
            return cls(found["tables"], found["tune"], found["space"], found["network"], Origin.read(found["origin"]))
        except (UnfitError, ValueError, RecursionError) as error:
            raise StudyError(f"this is no study that this version can go on with: {error}") from error

    def read_space(self) -> Space:
        """Return what is tried; raises StudyError for a text of another form."""
        try:
            return Space(tuple(_parameter(one) for one in json.loads(self.space)))
        except (TypeError, KeyError, ValueError) as error:
            raise StudyError(f"this is no study that this version can go on with: {error}") from error

    def text(self) -> str:
        """Return everything as one text."""
        parts = {"tables": self.tables, "tune": self.tune, "space": self.space, "network": self.network}
        return json.dumps({"version": _VERSION, **parts, "origin": self.origin.text()}, ensure_ascii=False)

    def check(self, now: Definition, name: str) -> None:
        """Raise StudyError where `now`, with which somebody wants to go on, is something else; says what."""
        changes = [
            f"tune.{key} is {shown(now.tune[key])}, not {shown(value)}"
            for key, value in self.tune.items()
            if key not in _FREE and now.tune.get(key, value) != value
        ]
        if self.space != now.space:
            changes.append("the settings to try are others")
        if self.network != now.network:
            changes.append("the network to train is another")
        changes += [one.text for one in self.origin.changes(now.origin) if not one.text.startswith("output.")]
        if changes:
            reason = "; ".join(changes)
            raise StudyError(f"the study {name} is of something else: {reason}; enter what it had, or another name")


def _parameter(found: Mapping[str, Any]) -> Parameter:
    if "values" in found:
        return Choices(found["address"], tuple(found["values"]), tuple(found["overlays"]))
    return Range(**found)
