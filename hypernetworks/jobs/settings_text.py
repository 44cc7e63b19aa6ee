"""Settings files as text: uploaded to a page, and saved by it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ..base.atomic import write_text
from ..base.encodings import UnfitTextError, decode
from ..base.errors import HypernetworkFileError, SettingsError
from ..texts.tables import parse_tables

MAX_BYTES = 1_000_000
"""Settings take a few kilobytes; a larger file is something else."""


def is_json(file_name: str) -> bool:
    """Tell by its name whether the file is the original extension's JSON; all others are TOML."""
    return file_name.lower().endswith(".json")


def parse(content: bytes, file_name: str) -> dict[str, Any]:
    """Return the tables of a TOML or JSON file.

    Raises:
        SettingsError: it is too large, no text, or neither TOML nor JSON; names the file.
    """
    if len(content) > MAX_BYTES:
        raise SettingsError(file_name, "is too large for a file with settings")
    try:
        text = decode(content)
    except UnfitTextError as error:
        raise SettingsError(file_name, f"cannot be read: {error}") from error
    try:
        return parse_tables(text, file_name)
    except UnfitTextError as error:
        raise SettingsError(file_name, str(error)) from error


def save_new(text: str, folder: Path, name: str) -> Path:
    """Write `text` to a new file in `folder`, `NAME.toml` or `NAME 2.toml` and so on, and return its path.

    Raises:
        HypernetworkFileError: the folder or the disk refuses it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HypernetworkFileError(f"the folder {folder} cannot be made: {error.strerror}") from error
    names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    path = next(path for one in names if not (path := folder / f"{one}.toml").exists())
    write_text(path, text)
    return path
