"""What the tab Inspect Hypernetwork does with the networks of the host's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules import shared

from ....hypernetworks import files, report
from ....hypernetworks.base.errors import HypernetworkFileError, SettingsError
from ....hypernetworks.files import edit
from ....hypernetworks.files.convert import ConversionSettings, convert
from ....hypernetworks.pages import report as report_page
from ....hypernetworks.report import comparison

_BINS = 48


def names() -> list[str]:
    """Networks of the host's folder that are files of one network, as the host calls them."""
    return [name for name, path in shared.hypernetworks.items() if Path(path).suffix in files.SUFFIXES]


def place(name: Any, field: str = "file") -> Path:
    """Return the file of a network. Only what the host lists can be named, so nothing outside its folder is reached.

    Raises:
        SettingsError: there is no such network; names `field`.
    """
    if not name:
        raise SettingsError(field, "choose a network")
    if name not in names():
        raise SettingsError(field, f"there is no network {name}; press Refresh list")
    return Path(shared.hypernetworks[name])


def page(path: Path) -> str:
    """Return the report of a file as HTML; of a broken one its problem and what can be known."""
    try:
        return report_page.render(report.describe(path, _BINS))
    except HypernetworkFileError as error:
        return report_page.render_broken(path, f"{error}.", report.outline(path))


def notes(path: Path) -> str:
    """Return the notes in a file; none where it cannot be read."""
    try:
        return files.read_document(path).metadata.optional_info or ""
    except HypernetworkFileError:
        return ""


def write_converted(path: Path, values: dict[str, Any]) -> str:
    """Write a network anew as `ConversionSettings` of `values` say; gives a sentence about the new file.

    Raises:
        SettingsError, HypernetworkFileError: it cannot be done.
    """
    target = convert(path, ConversionSettings.from_mapping(values))
    shared.reload_hypernetworks()
    return f"Wrote {target.name} ({target.stat().st_size / 1e6:.1f} MB); its name in prompts is {listed(target)}."


def rename(path: Path, values: dict[str, Any]) -> tuple[str, str]:
    """Rename a network as `RenamingSettings` of `values` say; gives its new name in the list, and a sentence.

    Raises:
        SettingsError, HypernetworkFileError: it cannot be done.
    """
    moved = edit.rename(path, edit.RenamingSettings.from_mapping(values))
    shared.reload_hypernetworks()
    others = f", and with it {', '.join(other.name for other in moved[1:])}" if moved[1:] else ""
    return listed(moved[0]), f"{path.name} is {moved[0].name} now{others}."


def write_notes(path: Path, values: dict[str, Any]) -> str:
    """Write the notes of `NotesSettings` into a file; gives a sentence.

    Raises:
        SettingsError, HypernetworkFileError: it cannot be done.
    """
    edit.write_notes(path, edit.NotesSettings.from_mapping(values))
    return f"{path.name} has the new notes; all else in it is as it was."


def compare(name: Any, other: Any) -> str:
    """Compare two networks of the list; gives the table as HTML.

    Raises:
        SettingsError: one of them is not there or cannot be read; names `file` or `compare.other`.
    """
    networks = []
    for field, chosen in (("file", name), ("compare.other", other)):
        try:
            networks.append(files.load(place(chosen, field)))
        except HypernetworkFileError as error:
            raise SettingsError(field, str(error)) from error
    return report_page.render_comparison(comparison.compare(*networks), str(name), str(other))


def listed(path: Path) -> str:
    """Return the name under which the host lists a file."""
    return next(name for name, place in shared.hypernetworks.items() if Path(place) == path)
