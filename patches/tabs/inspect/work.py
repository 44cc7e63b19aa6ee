"""The actions of the tab Inspect Hypernetwork on the networks of the host's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules import shared

from ....hypernetworks import files, report
from ....hypernetworks.base.errors import HypernetworkFileError, SettingsError
from ....hypernetworks.files import edit, listing
from ....hypernetworks.files.convert import ConversionSettings, convert
from ....hypernetworks.network.sizes import readable_bytes
from ....hypernetworks.pages import report as report_page
from ....hypernetworks.report import comparison
from ...model import lookup
from ...patching.error_reports import report_unexpected
from ..start_values import JOB_FORM

_BINS = 48


def names() -> list[str]:
    """Return the host's names of the files that hold one network."""
    return [name for name, path in shared.hypernetworks.items() if listing.is_network(path)]


def network_path(name: Any, field: str = "file") -> Path:
    """Return the file of a network. Only networks in the host's list are allowed, so nothing outside its folder is.

    Raises:
        SettingsError: there is no such network; names `field`.
    """
    if not name:
        raise SettingsError(field, "choose a network")
    path = listing.find(lookup.listed(str(name)), str(name))
    if path is None or not listing.is_network(path):
        raise SettingsError(field, lookup.absent(f"there is no network {name}", str(name)))
    return Path(path)


def page(path: Path) -> str:
    """Return the report of a file as HTML; of a broken one its problem and what is known of it."""
    try:
        return report_page.render(report.describe(path, _BINS), JOB_FORM)
    except HypernetworkFileError as error:
        return report_page.render_broken(path, f"{error}.", report.outline(path))


def notes(path: Path) -> str:
    """Return the notes in a file; empty where it cannot be read."""
    try:
        return files.read_document(path).metadata.optional_info or ""
    except HypernetworkFileError:
        return ""


@report_unexpected()
def write_converted(path: Path, values: dict[str, Any]) -> str:
    """Convert a network as `ConversionSettings` of `values` say; return a sentence about the new file.

    Raises:
        SettingsError, HypernetworkFileError: it cannot be done.
    """
    target = convert(path, ConversionSettings.from_mapping(values))
    shared.reload_hypernetworks()
    return wrote(target)


@report_unexpected()
def rename(path: Path, values: dict[str, Any]) -> tuple[str, str]:
    """Rename a network as `RenamingSettings` of `values` say; return its new name in the list and a sentence.

    Raises:
        SettingsError, HypernetworkFileError: it cannot be done.
    """
    moved = edit.rename(path, edit.RenamingSettings.from_mapping(values))
    shared.reload_hypernetworks()
    others = f", and with it {', '.join(other.name for other in moved[1:])}" if moved[1:] else ""
    return name_of(moved[0]) or moved[0].stem, f"{path.name} is {moved[0].name} now{others}."


@report_unexpected()
def write_notes(path: Path, values: dict[str, Any]) -> str:
    """Write the notes of `NotesSettings` into a file; return a sentence.

    Raises:
        SettingsError, HypernetworkFileError: it cannot be done.
    """
    edit.write_notes(path, edit.NotesSettings.from_mapping(values))
    return f"{path.name} has the new notes; all else in it is as it was."


@report_unexpected()
def compare(name: Any, other: Any) -> str:
    """Return the comparison of two networks of the list as HTML.

    Raises:
        SettingsError: one of them is not there or cannot be read; names `file` or `compare.other`.
    """
    networks = []
    for field, chosen in (("file", name), ("compare.other", other)):
        try:
            networks.append(files.load(network_path(chosen, field)))
        except HypernetworkFileError as error:
            raise SettingsError(field, str(error)) from error
    return report_page.render_comparison(comparison.compare(*networks), str(name), str(other))


def name_of(path: Path) -> str | None:
    """Return the name under which the host lists a file; None where its own code lists, which leaves some out."""
    return next((name for name, file in shared.hypernetworks.items() if Path(file) == path), None)


def wrote(path: Path) -> str:
    """Return a sentence about a file that was written: its size, and how prompts name it."""
    name, size = name_of(path), readable_bytes(path.stat().st_size)
    if name is None:
        return f"Wrote {path.name} ({size}); the WebUI's own code, which lists networks now, leaves it out."
    return f"Wrote {path.name} ({size}); its name in prompts is {name}."
