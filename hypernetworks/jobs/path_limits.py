"""Paths in requests, confined to the folders that are allowed for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from ..base.errors import PathTextError, SettingsError
from ..base.options import Settings, convert, in_lines
from ..base.paths import read_path, split_line
from ..data.source import SOURCES
from ..train.settings.job import SECTIONS

_NETWORK = "network.file"
_OUTPUTS = ("output.dir", "output.log_dir")


def placed(text: str, roots: Sequence[PurePath]) -> PurePath | None:
    """Return the path of `text` below one of `roots`, a relative one below the first; None where it is outside of all.

    Only the text is looked at, so that no other drive and no other computer is accessed.
    """
    given = type(roots[0])(text)
    if ".." in given.parts or "\0" in text:
        return None
    path = roots[0] / given
    return path if any(path.is_relative_to(root) for root in roots) else None


def inside(text: str, field: str, roots: Sequence[Path]) -> str:
    """Return the path of `text` below one of `roots`, links followed; a relative one counts from the first.

    Raises:
        SettingsError: it is no path, or outside of all of them; names `field`.
    """
    resolved = [root.resolve() for root in roots]
    try:
        path = placed(read_path(text), [*roots, *resolved])
    except PathTextError as error:
        raise SettingsError(field, str(error)) from None
    target = Path(path).resolve() if path is not None else None
    if target is None or not any(target.is_relative_to(root) for root in resolved):
        places = ", ".join(map(str, roots))
        raise SettingsError(field, f"must lie in {places}, without '..'; the WebUI's owner can allow other folders")
    return str(target)


def confined(
    tables: Mapping[str, Any],
    roots: Sequence[Path],
    outputs: Sequence[Path],
    sections: Mapping[str, type[Settings]] = SECTIONS,
) -> dict[str, Any]:
    """Return the tables of a job with all paths made absolute and inside `roots`, output folders inside `outputs`.

    The network stays as it is: a name in the host's list.

    Args:
        sections: the settings of each table.

    Raises:
        SettingsError: a path is outside of the folders; names the field.
    """
    checked: dict[str, Any] = {}
    for section, table in tables.items():
        checked[section] = dict(table) if isinstance(table, Mapping) else table
        kind = sections.get(section)
        if kind is None or not isinstance(table, Mapping):
            continue
        for name, _, option in kind.options():
            address = f"{section}.{name}"
            if address == _NETWORK or name not in table or not (option.is_path or option.starts_with_paths):
                continue
            # As the settings read it: several lines may be a list, and a folder may be called 2024.
            value = convert(address, in_lines(table[name]) if option.lines > 1 else table[name], str)
            if option.is_path and value:
                checked[section][name] = inside(value, address, outputs if address in _OUTPUTS else roots)
            elif option.starts_with_paths:
                checked[section][name] = "\n".join(_line(line, address, roots) for line in value.splitlines())
    data = checked.get("data")
    if isinstance(data, dict):
        _check_files(data, roots)
    return checked


def _line(line: str, address: str, roots: Sequence[Path]) -> str:
    """Return a line of a path with options after a bar, the path confined."""
    path, options = split_line(line)
    return f"{inside(path, address, roots)} {options}".rstrip() if path.strip() else line


def _check_files(data: Mapping[str, Any], roots: Sequence[Path]) -> None:
    """Raise SettingsError where a file that names pictures, such as a dataset file, names some outside."""
    for source in SOURCES.values():
        value = data.get(source.name)
        if isinstance(value, str) and value:
            for path in source.names_paths(Path(value)):
                inside(str(path), f"data.{source.name}", roots)
