"""Paths among the values to try: as in all of a job file they count from its folder, or stay within given ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...base.options import Option
from ...train.settings.job import SECTIONS
from ...train.settings.job_file import anchor_paths
from .reading import entries, listed
from .settings import SECTION, ranges_text, to_toml

#: Takes section, key and value of a setting; returns the value to use. Raises SettingsError.
Place = Callable[[str, str, Any], Any]


def anchor(tables: dict[str, Any], folder: Path) -> None:
    """Let relative paths among the values to try of a job file count from its folder."""

    def place(section: str, key: str, value: Any) -> Any:
        table = {section: {key: value}}
        anchor_paths(table, folder)
        return table[section][key]

    place_paths(tables, place)


def place_paths(tables: dict[str, Any], place: Place) -> None:
    """Replace the values to try that are paths; what is wrong in the section is left to whoever reads it.

    Raises:
        SettingsError: what `place` raises.
    """
    table = tables.get(SECTION)
    if isinstance(table, Mapping) and "ranges" in table:
        text = ranges_text(table["ranges"])
        if isinstance(text, str):
            tables[SECTION] = {**table, "ranges": "\n".join(_line(line, place) for line in entries(text))}


def _line(line: str, place: Place) -> str:
    address, _, text = line.partition("=")
    section, _, key = address.strip().partition(".")
    values = listed(text.strip())
    option = _option(section, key)
    if values is None or option is None or not (option.is_path or option.starts_with_paths):
        return line
    return f"{section}.{key} = {to_toml([place(section, key, value) for value in values])}"


def _option(section: str, key: str) -> Option | None:
    kind = SECTIONS.get(section)
    return next((option for name, _, option in kind.options() if name == key), None) if kind else None
