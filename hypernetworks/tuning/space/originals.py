"""The original extension's files of settings as lists to try: every combination of its creation and training files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...base.errors import ErrorCollector, PathTextError, SettingsError
from ...base.outside import is_file, read_bytes, reason_of, shown
from ...base.paths import read_path
from ...jobs import create_files, train_files
from ...jobs.settings_text import MAX_BYTES
from ...network.settings import ShapeSettings
from ...train.settings.job_file import anchor_paths
from .parameters import Choices, Point
from .reading import OWN
from .settings import TuneSettings

CREATION, TRAINING = "tune.creation_files", "tune.training_files"
_SHAPE = frozenset(name for name, _, _ in ShapeSettings.options())
#: What belongs to a study as a whole, or to the one file that it is about.
_LEFT_OUT = frozenset({"network.file", *OWN})


def file_choices(settings: TuneSettings, folders: Sequence[Path]) -> list[Choices]:
    """Return the files that are named as lists to try, creation before training.

    Args:
        folders: where files are looked for by name, with or without `.json`; the first that has one counts.

    Raises:
        SettingsError: a file is missing or no file of that kind; names the field as `tune.key`.
    """
    found: list[Choices] = []
    checks = ErrorCollector()
    readers: tuple[tuple[str, str, Callable[[Path], Point]], ...] = (
        (CREATION, settings.creation_files, _creation),
        (TRAINING, settings.training_files, _training),
    )
    for field, text, read in readers:
        with checks:
            names = _named(field, text)
            overlays = tuple(_read(field, name, folders, read) for name in names)
            if names:
                found.append(Choices(field, tuple(names), overlays))
    checks.raise_all()
    return found


def unread_choices(settings: TuneSettings) -> list[Choices]:
    """Return as many values as `file_choices` does, of which each sets nothing; raises SettingsError likewise."""
    found = []
    for field, text in ((CREATION, settings.creation_files), (TRAINING, settings.training_files)):
        if names := _named(field, text):
            found.append(Choices(field, tuple(names), ({},) * len(names)))
    return found


def _named(field: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    if names.count("") > 1:
        raise SettingsError(field, "has a comma with no name beside it")
    if len(set(names)) != len(names):
        raise SettingsError(field, "names a file twice")
    return names


def _read(field: str, name: str, folders: Sequence[Path], read: Callable[[Path], Point]) -> Point:
    """Return the settings of a file; none where no file is named, which stands for what the job has."""
    if not name:
        return {}
    try:
        given = Path(read_path(name))
    except PathTextError as error:
        raise SettingsError(field, str(error)) from None
    path = next((path for path in _candidates(given, folders) if is_file(path)), None)
    if path is None:
        raise SettingsError(field, f"there is no file {shown(name)} in {', '.join(map(str, folders))}")
    try:
        return read(path)
    except (OSError, ValueError) as error:
        reason = "; ".join(one.reason for one in error.errors) if isinstance(error, SettingsError) else reason_of(error)
        raise SettingsError(field, f"{path.name} {reason}") from error


def _candidates(given: Path, folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        yield folder / given
        yield folder / given.with_name(f"{given.name}.json")


def _creation(path: Path) -> Point:
    loaded = create_files.read(read_bytes(path, MAX_BYTES + 1), path.name)
    if loaded.errors:
        raise SettingsError.joined(loaded.errors)
    shape = {f"network.{key}": value for key, value in loaded.values.items() if key in _SHAPE}
    return {"network.file": "", **shape}


def _training(path: Path) -> Point:
    loaded = train_files.read(read_bytes(path, MAX_BYTES + 1), path.name)
    if loaded.errors:
        raise SettingsError.joined(loaded.errors)
    tables: dict[str, Any] = {}
    for address, value in loaded.values.items():
        if address not in _LEFT_OUT:
            section, _, key = address.partition(".")
            tables.setdefault(section, {})[key] = value
    anchor_paths(tables, path.parent)
    return {f"{section}.{key}": value for section, table in tables.items() for key, value in table.items()}
