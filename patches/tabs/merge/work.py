"""The merges of the tab Merge Hypernetworks: networks of the host's folder, made into one, measured and written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from modules import shared

from ....hypernetworks import files
from ....hypernetworks.base.errors import HypernetworkFileError, SettingsError, raise_all
from ....hypernetworks.merge import check, merge, plan
from ....hypernetworks.merge.inputs import Inputs, check_inputs
from ....hypernetworks.merge.outlines import outline
from ....hypernetworks.merge.saving import ResultSettings, as_read_back, save, with_hashes
from ....hypernetworks.merge.settings import ROWS, MergeSettings, chosen_rows, used_fields
from ....hypernetworks.network.file_forms import DTYPES
from ....hypernetworks.network.hypernetwork import Hypernetwork
from ....hypernetworks.pages import merge as page
from ....hypernetworks.queue.kinds.merge import MergeJob
from ...model import host
from ...patching.error_reports import report_unexpected
from ..inspect import work as inspecting

ResultT = TypeVar("ResultT")
#: The fields of the networks, row by row.
FIELDS = tuple(f"network_{row}" for row in range(1, ROWS + 1))
_MERGE_FIELDS = {field.name for field in dataclasses.fields(MergeSettings)}
_RESULT_FIELDS = {field.name for field in dataclasses.fields(ResultSettings)}
_UNNAMED = "merged"


@dataclass(frozen=True)
class Made:
    """A merge that is not written yet.

    Attributes:
        network: the result.
        inputs: what it was made of.
        paths: the files of these networks.
        method: its name in the registry.
        differences: how its effect differs from that of the networks.
    """

    network: Hypernetwork
    inputs: Inputs
    paths: Sequence[Path]
    method: str
    differences: tuple[check.Difference, ...]


@dataclass(frozen=True)
class Merged:
    """A merge that was written.

    Attributes:
        path: the new file.
        sentence: the report for users.
        method: its name in the registry.
        differences: how its effect differs from that of the networks.
    """

    path: Path
    sentence: str
    method: str
    differences: tuple[check.Difference, ...]


@report_unexpected()
def merge_files(values: Mapping[str, Any]) -> Merged:
    """Merge networks of the host's list into one file, as the fields of `MergeSettings` and `ResultSettings` say.

    Raises:
        SettingsError: a field is wrong, or the method cannot merge these networks.
        WorkbenchError: the networks cannot be merged, or the file cannot be written.
    """
    chosen = chosen_rows(values)
    _check(values, chosen, target_of)
    result, target = _result(values), target_of(values)
    made = _made(values, chosen, result)
    recipe = with_hashes(made.network.metadata.training["merge"], [files.short_hash(path) for path in made.paths])
    made.network.metadata.training["merge"] = recipe
    return Merged(target, write(made.network, target, result), made.method, made.differences)


@report_unexpected()
def queued(values: Mapping[str, Any]) -> MergeJob:
    """Return the job that does what `merge_files` does; raises SettingsError for a field that is wrong by now."""
    chosen = chosen_rows(values)
    _check(values, chosen, target_of)
    return MergeJob(settings_of(values, chosen), _result(values))


@report_unexpected()
def make(values: Mapping[str, Any]) -> Made:
    """Merge networks of the host's list, and write nothing: the result is what would be read from its file.

    Raises:
        SettingsError: a field is wrong, or the method cannot merge these networks.
        WorkbenchError: the networks cannot be merged.
    """
    chosen = chosen_rows(values)
    _check(values, chosen, _unnamed)
    result = _unnamed(values)
    made = _made(values, chosen, result)
    try:
        return replace(made, network=as_read_back(made.network, result))
    except HypernetworkFileError as error:
        raise SettingsError("form", str(error)) from error


@report_unexpected()
def predict(values: Mapping[str, Any]) -> tuple[check.Difference, ...]:
    """Return the `differences` of what `make` would return, without keeping it; raises what `make` does."""
    chosen = chosen_rows(values)
    _check(values, chosen, _unnamed)
    settings = settings_of(values, chosen)
    _, inputs = _inputs(values, settings)
    return tuple(check.predict(inputs, settings.method_name, DTYPES[_unnamed(values).dtype]))


def what_is_made(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a form that decide what is made of it, whatever its name is."""
    chosen = chosen_rows(values)
    used = {*used_fields(values["method"], chosen), "method", "form", "dtype", *(FIELDS[row - 1] for row in chosen)}
    return {name: values[name] for name in sorted(used)}


def _made(values: Mapping[str, Any], chosen: Sequence[int], result: ResultSettings) -> Made:
    settings = settings_of(values, chosen)
    paths, inputs = _inputs(values, settings)
    method = settings.method_name
    merged = merge(zip(inputs.networks, inputs.weights, strict=True), method, inputs.options)
    differences = check.differences(merged, inputs, method, DTYPES[result.dtype])
    return Made(merged, inputs, paths, method, differences)


def _inputs(values: Mapping[str, Any], settings: MergeSettings) -> tuple[list[Path], Inputs]:
    """Return the files of the chosen networks, and what is to be merged; raises SettingsError."""
    rows, method = settings.network_rows, settings.method_name
    outlines = [outline_of(values, row) for row in rows]
    options = settings.merge_options(method, widths(outlines))
    planned = plan(weighted(settings, outlines, method), method, options)
    if not planned.possible:
        raise SettingsError("method", page.reason(planned))
    fields = [FIELDS[row - 1] for row in rows]
    paths = [inspecting.network_path(values[field], field) for field in fields]
    networks = [load(path, values[field], field) for path, field in zip(paths, fields, strict=True)]
    return paths, check_inputs(weighted(settings, networks, method), options)


def _check(values: Mapping[str, Any], chosen: Sequence[int], *more: Callable[[Mapping[str, Any]], Any]) -> None:
    """Raise SettingsError for all fields that are wrong or missing, and for what `more` finds wrong."""
    problems = [SettingsError(FIELDS[row - 1], "choose a network") for row in (1, 2) if row not in chosen]
    for row in chosen:
        collect_errors(problems, partial(outline_of, values, row))
    collect_errors(problems, partial(settings_of, values, chosen))
    for one in more:
        collect_errors(problems, partial(one, values))
    raise_all(problems)


def file_problem(error: HypernetworkFileError) -> str:
    """Return the reason for the field of a broken file."""
    return f"its file cannot be used ({error})"


def load(path: Path, name: str, field: str) -> Hypernetwork:
    """Return the network of a file under the name that the host gives it.

    Raises:
        SettingsError: it cannot be read; names `field`.
    """
    try:
        network = files.load(path)
    except HypernetworkFileError as error:
        raise SettingsError(field, file_problem(error)) from error
    network.metadata = replace(network.metadata, name=name)
    return network


def write(network: Hypernetwork, target: Path, settings: ResultSettings) -> str:
    """Write a merged network and list it; return a sentence. Raises HypernetworkFileError where that fails."""
    save(network, target, settings)
    shared.reload_hypernetworks()
    return inspecting.wrote(target)


def outline_of(values: Mapping[str, Any], row: int) -> Hypernetwork:
    """Return the structure of the network chosen in a row, without its weights; raises SettingsError."""
    name, field = values[FIELDS[row - 1]], FIELDS[row - 1]
    try:
        return outline(inspecting.network_path(name, field), name)
    except HypernetworkFileError as error:
        raise SettingsError(field, file_problem(error)) from error


def settings_of(values: Mapping[str, Any], chosen: Sequence[int]) -> MergeSettings:
    """Return the settings without the values of hidden fields; raises SettingsError."""
    used = used_fields(values["method"], chosen) | {"method", *(FIELDS[row - 1] for row in chosen)}
    return MergeSettings.from_mapping({name: values[name] for name in _MERGE_FIELDS & used})


def _result(values: Mapping[str, Any]) -> ResultSettings:
    return ResultSettings.from_mapping({name: values[name] for name in _RESULT_FIELDS})


def _unnamed(values: Mapping[str, Any]) -> ResultSettings:
    return _result({**values, "name": _UNNAMED})


def target_of(values: Mapping[str, Any]) -> Path:
    """Return the path of the file to write; raises SettingsError."""
    return _result(values).target(host.network_dir())


def weighted(
    settings: MergeSettings, networks: Sequence[Hypernetwork], method: str
) -> list[tuple[Hypernetwork, float]]:
    """Return the networks with their weights for a method."""
    return list(zip(networks, settings.weights(method), strict=True))


def widths(networks: Sequence[Hypernetwork]) -> tuple[int, ...]:
    """Return all attention widths of the networks, in the order in which they occur."""
    return tuple(dict.fromkeys(width for network in networks for width in network.widths))


def collect_errors(problems: list[SettingsError], act: Callable[[], ResultT]) -> ResultT | None:
    """Return what `act` returns, or None where it raises SettingsError, whose errors are added to `problems`."""
    try:
        return act()
    except SettingsError as error:
        problems += error.errors
    return None
