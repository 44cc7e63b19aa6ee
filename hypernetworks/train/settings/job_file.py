"""Job files: settings as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...base.errors import SettingsError
from ...base.outside import UnfitTextError, parse_toml, read_text, reason_of, resolved, shown_path
from .job import SECTIONS, Job


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a job file; relative paths in it count from its folder.

    Raises:
        SettingsError: the file does not exist or is no TOML; names it.
    """
    try:
        text = read_text(path)
    except (OSError, UnfitTextError) as error:
        raise SettingsError(shown_path(path), f"the job file cannot be read: {reason_of(error)}") from error
    try:
        tables = parse_toml(text)
    except UnfitTextError as error:
        raise SettingsError(str(path), f"the job file is no TOML: {error}") from error
    for name, kind in SECTIONS.items():
        section = tables.get(name)
        if isinstance(section, dict):
            _anchor_paths(section, kind, path.parent)
    return tables


def apply_overrides(tables: dict[str, Any], overrides: Sequence[str]) -> None:
    """Apply `section.key=value` texts to the tables. A value is read as TOML if it is valid TOML, else as text.

    Raises:
        SettingsError: a text has another form.
    """
    for text in overrides:
        address, equals, value = text.partition("=")
        section, dot, key = address.strip().partition(".")
        if not (equals and dot and section and key):
            raise SettingsError("--set", f"{text!r} must have the form section.key=value")
        table = tables.setdefault(section, {})
        if not isinstance(table, dict):
            raise SettingsError(section, "must be a table of settings")
        table[key] = _toml_value(value.strip())


def job_text(job: Job) -> str:
    """Return the job as TOML."""
    tables = job.to_mapping()
    return "\n".join(table_text(name, table) for name, table in tables.items())


def table_text(name: str, table: Mapping[str, Any]) -> str:
    """Return a table of plain values as TOML."""
    # A JSON text, number, bool or list of these is TOML as well, but for "\/" and surrogates, which json never writes
    # with ensure_ascii off; DEL is the one raw control character it lets through.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return "\n".join([f"[{name}]", *lines, ""]).replace("\x7f", "\\u007F")


def _anchor_paths(section: dict[str, Any], kind: Any, folder: Path) -> None:
    for name, _, option in kind.options():
        value = section.get(name)
        if not isinstance(value, str) or not value:
            continue
        if option.is_path:
            section[name] = str(resolved(folder / value))
        elif option.starts_with_paths:
            section[name] = "\n".join(_anchored(line, folder) for line in value.splitlines())


def _anchored(line: str, folder: Path) -> str:
    """Return a line of a path, with options after a bar if it has any; a relative path counts from `folder`."""
    path, bar, options = line.partition("|")
    return f"{resolved(folder / path.strip())} {bar}{options}".rstrip() if path.strip() else line


def _toml_value(text: str) -> Any:
    try:
        found = parse_toml(f"value = {text}")
    except UnfitTextError:
        return text
    return found["value"] if len(found) == 1 else text  # more than one line would be other settings as well
