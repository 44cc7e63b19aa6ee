"""Job files: settings as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...base import numbers, paths, suggestions
from ...base.errors import PathTextError, SettingsError
from ...base.options import Settings, in_lines
from ...base.outside import UnfitTextError, is_file, is_folder, read_text, reason_of, resolved, shown_path
from ...texts import foreign
from ...texts.tables import parse_tables
from ...texts.toml import parse_toml
from .job import SECTIONS, Job, is_job


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a job file; relative paths in it count from its folder.

    Raises:
        SettingsError: the file does not exist or is no TOML; names it.
    """
    try:
        text = read_text(path)
    except (OSError, UnfitTextError) as error:
        reason = f"the job file cannot be read: {reason_of(error)}{_neighbour(path)}"
        raise SettingsError(shown_path(path), reason) from error
    try:
        tables = parse_tables(text, path.name)
    except UnfitTextError as error:
        raise SettingsError(shown_path(path), f"the job file {error}") from error
    if not is_job(tables) and (other := foreign.instead_of_job(tables)):
        raise SettingsError(shown_path(path), f"this {other.sentence}")
    anchor_paths(tables, path.parent)
    return tables


def anchor_paths(tables: dict[str, Any], folder: Path, sections: Mapping[str, type[Settings]] = SECTIONS) -> None:
    """Let relative paths in the tables of a job count from a folder."""
    for name, kind in sections.items():
        section = tables.get(name)
        if isinstance(section, dict):
            _anchor_paths(section, kind, folder)


def apply_overrides(tables: dict[str, Any], overrides: Sequence[str]) -> None:
    """Apply `section.key=value` texts to the tables. A value is read as TOML if it is valid TOML, else as text.

    For a setting that is a text it is TOML only in quotes, so that a name may be `007` or `2024-05-01`.

    Raises:
        SettingsError: a text has another form.
    """
    for text in overrides:
        address, equals, value = text.replace("＝", "=", "=" not in text).partition("=")
        section, dot, key = (part.strip() for part in numbers.plain(address).partition("."))
        if not (equals and dot and section and key):
            raise SettingsError("--set", f"{text!r} must have the form section.key=value")
        table = tables.setdefault(section, {})
        if not isinstance(table, dict):
            raise SettingsError(section, "must be a table of settings")
        table[key] = _toml_value(value.strip(), _is_text(section, key))


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
        value = in_lines(section.get(name)) if option.lines > 1 else section.get(name)
        if not isinstance(value, str) or not value:
            continue
        # A text that is no path stays as it is, and is refused with all else that is wrong.
        with suppress(PathTextError):
            if option.is_path:
                section[name] = _anchored(value, folder)
            elif option.starts_with_paths:
                section[name] = "\n".join(_anchored_line(line, folder) for line in value.splitlines())


def _anchored(text: str, folder: Path) -> str:
    path = paths.read_path(text)
    return str(resolved(folder / path)) if path else ""


def _anchored_line(line: str, folder: Path) -> str:
    """Return a line of a path, with options after a bar if it has any; a relative path counts from `folder`."""
    path, options = paths.split_line(line)
    return f"{_anchored(path, folder)} {options}".strip() if path.strip() else line


def _neighbour(path: Path) -> str:
    """Return advice where no file has the name, but another one nearly has it."""
    if is_file(path) or is_folder(path):
        return ""
    names = suggestions.beside(path, is_file)
    longer = f"{path.name}.txt"
    if longer in names:
        return f"; there is {longer}: Windows hides such an ending, so take it off or name it too"
    like = suggestions.meant(path.name, names, {Path(name).stem: name for name in names})
    return f"; there is {like}" if like else ""


def _is_text(section: str, key: str) -> bool:
    """Tell whether a setting is a text, which may look like a number, a date or a truth value."""
    kind = SECTIONS.get(section)
    return kind is not None and any(name == key and type_ is str for name, type_, _ in kind.options())


def _toml_value(text: str, is_text: bool) -> Any:
    try:
        found = parse_toml(f"value = {text}")
    except UnfitTextError:
        return text
    # More than one line would be other settings as well.
    return found["value"] if len(found) == 1 and (not is_text or isinstance(found["value"], str)) else text
