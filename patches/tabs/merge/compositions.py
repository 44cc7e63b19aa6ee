"""The handlers for compositions in the tab Merge Hypernetworks: checked as they are typed, and saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules import shared

from ....hypernetworks import compose, files
from ....hypernetworks.base.atomic import write_text
from ....hypernetworks.base.errors import (
    CompositionError,
    ErrorCollector,
    HypernetworkFileError,
    SettingsError,
    WorkbenchError,
)
from ....hypernetworks.base.options import Option
from ....hypernetworks.compose import Composition, text_file
from ....hypernetworks.files import listing
from ....hypernetworks.merge.composition import merge_composition, plan_composition
from ....hypernetworks.merge.outlines import outline
from ....hypernetworks.merge.saving import ResultSettings, free_path, with_hashes, writing
from ....hypernetworks.network.hypernetwork import Hypernetwork
from ....hypernetworks.pages import merge
from ....hypernetworks.pages.sentences import done, note
from ...model import host, lookup
from ...patching.error_reports import report_unexpected
from ..inspect import work
from . import work as merging
from .preview import PreviewHandlers

SUFFIX = ".hns"
TEXT = Option(
    "Composition",
    "Such as A:0.8 + B:0.2 > C, where + is side by side and > one after the other; or the text of a .hns file.",
    lines=2,
)
_FIELD = "text"
_EMPTY = "Both forms of the composition appear here, and whether it can be one file."


class CompositionHandlers(PreviewHandlers):
    """Functions for the events of compositions; the form has the text and the fields of `ResultSettings`."""

    def look(self, *entered: Any) -> list[Any]:
        """Show the composition in both forms, or where it is wrong."""
        values = self.form.values(entered)
        if not values[_FIELD].strip():
            return self.show(note(_EMPTY))
        try:
            return self.show(_preview(read(values[_FIELD])))
        except SettingsError as error:
            return self.show(note(_EMPTY), {_FIELD: error.reason})

    def save(self, *entered: Any) -> str:
        """Write the composition as a `.hns` file into the folder of networks."""
        try:
            path = write_hns(self.form.values(entered))
        except WorkbenchError as error:
            return self.form.explain(error)
        return done(f"Saved as {path.name}.")

    def save_one(self, *entered: Any) -> str:
        """Merge the composition exactly into one network, and write that."""
        try:
            return done(write_one(self.form.values(entered))[1])
        except WorkbenchError as error:
            return self.form.explain(error)


@report_unexpected()
def write_hns(values: Mapping[str, Any]) -> Path:
    """Write a composition as a `.hns` file into the folder of networks; return the file.

    Args:
        values: the text and the fields of `ResultSettings`.

    Raises:
        WorkbenchError: the text is wrong, or the file cannot be written; names the field.
    """
    composition, settings = _read_all(values)
    _check_circle(composition, settings.name)
    path = free_path(host.network_dir(), settings.name + SUFFIX, settings.overwrite)
    with writing(path, settings):
        write_text(path, f"{composition.as_hns()}\n")
    shared.reload_hypernetworks()
    return path


@report_unexpected()
def write_one(values: Mapping[str, Any]) -> tuple[Path, str]:
    """Merge a composition exactly into one network; return its file and a sentence.

    Args:
        values: the text and the fields of `ResultSettings`.

    Raises:
        WorkbenchError: the text is wrong, it cannot be one file, or that cannot be written; names the field.
    """
    composition, settings = _read_all(values)
    target = settings.target(host.network_dir())
    planned = plan_composition(composition, _outlines(composition))
    if not planned.possible:
        raise SettingsError(_FIELD, f"it cannot be one file, as {planned.reason}")
    paths = {name: work.network_path(name, _FIELD) for name in composition.names}
    networks = {name: merging.load(path, name, _FIELD) for name, path in paths.items()}
    merged = merge_composition(composition, networks)
    hashes = [files.short_hash(path) for path in paths.values()]
    merged.metadata.training["merge"] = with_hashes(merged.metadata.training["merge"], hashes)
    return target, merging.write(merged, target, settings)


def read(text: str) -> Composition:
    """Return the composition of a text, whose networks must all exist, by the names in the host's list.

    Raises:
        SettingsError: the text is wrong or a name unknown; says where.
    """
    try:
        lookup.listed(*compose.parse(text).names)
        saved, broken = _saved()
        composition = compose.parse(text, saved, _meant)
    except CompositionError as error:
        raise SettingsError(_FIELD, str(error)) from error
    # Only the names matter here.
    known: dict[str, Any] = dict.fromkeys([*work.names(), *broken])
    try:
        composition.check(known)
    except CompositionError as error:
        unknown = next(name for name in composition.names if name not in known)
        raise SettingsError(_FIELD, lookup.absent(str(error), unknown)) from error
    for name in composition.names:
        if name in broken:
            raise SettingsError(_FIELD, broken[name])
    return composition


def _meant(name: str) -> str:
    return listing.meant(shared.hypernetworks, name)


def _saved() -> tuple[dict[str, Composition], dict[str, str]]:
    """Return the compositions of the host's list by name, and for broken ones the reason."""
    saved, broken = {}, {}
    for name, path in shared.hypernetworks.items():
        if not listing.is_composition(path):
            continue
        try:
            text = text_file.read(Path(path), lambda named: _meant(named) in shared.hypernetworks)
        except CompositionError as error:
            broken[name] = f"the file {error}"
            continue
        try:
            saved[name] = compose.parse(text, rename=_meant)
        except CompositionError as error:
            broken[name] = f"the file {Path(path).name} is wrong, {error}"
    return saved, broken


def _check_circle(composition: Composition, name: str) -> None:
    """Raise SettingsError if a composition saved as `name` would contain itself."""
    try:
        compose.parse(composition.as_hns(), {**composition.resolve, name: composition})
    except CompositionError as error:
        raise SettingsError("name", f"the composition names {name} itself; choose another name") from error


def _outlines(composition: Composition) -> dict[str, Hypernetwork]:
    try:
        return {name: outline(work.network_path(name, _FIELD), name) for name in composition.names}
    except HypernetworkFileError as error:
        raise SettingsError(_FIELD, f"a file cannot be used ({error})") from error


def _preview(composition: Composition) -> str:
    planned = plan_composition(composition, _outlines(composition))
    try:
        text = composition.as_text()
    except CompositionError as error:
        text = str(error)
    return merge.composition_table(composition, text, planned)


def _read_all(values: Mapping[str, Any]) -> tuple[Composition, ResultSettings]:
    """Return what the text and the other fields say; raises SettingsError for all that is wrong with them."""
    checks = ErrorCollector()
    with checks:
        composition = read(values[_FIELD])
    with checks:
        settings = _result(values)
    checks.raise_all()
    return composition, settings


def _result(values: Mapping[str, Any]) -> ResultSettings:
    return ResultSettings.from_mapping({name: value for name, value in values.items() if name != _FIELD})
