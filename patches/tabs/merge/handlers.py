"""The handlers of the tab Merge Hypernetworks: check the chosen networks, and merge them into one file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from modules import shared

from ....hypernetworks import files
from ....hypernetworks.base.errors import HypernetworkFileError, SettingsError, WorkbenchError, raise_all
from ....hypernetworks.jobs.create_entry import as_sentence
from ....hypernetworks.merge import Plan, check, merge, method_names, plan
from ....hypernetworks.merge.inputs import Inputs, check_inputs
from ....hypernetworks.merge.outlines import outline
from ....hypernetworks.merge.saving import ResultSettings, save, with_hashes
from ....hypernetworks.merge.settings import NONE, OWN_OPTIONS, ROWS, MergeSettings, chosen_rows, used_fields
from ....hypernetworks.network.file_forms import DTYPES
from ....hypernetworks.network.hypernetwork import Hypernetwork
from ....hypernetworks.pages import merge as page
from ....hypernetworks.pages.sentences import done, note
from ...model import host
from ...patching.error_reports import report_unexpected
from ..form import Form
from ..inspect import work as inspecting

#: What was entered, and what it would give.
Prediction = tuple[list[Any], tuple[check.Difference, ...]]
ResultT = TypeVar("ResultT")
_TWO = 2
_MERGE_FIELDS = {field.name for field in dataclasses.fields(MergeSettings)}
_RESULT_FIELDS = {field.name for field in dataclasses.fields(ResultSettings)}
_FIELDS = tuple(f"network_{row}" for row in range(1, ROWS + 1))


class MergeHandlers:
    """Functions for the events of the merge itself.

    Args:
        form: the fields of `MergeSettings` and `ResultSettings`.
        columns: the fields that are shown only where they have an effect, by name.
        rows: the row of the options that only some methods have, and those of the third and fourth network.
        table: shows the methods.
    """

    def __init__(self, form: Form, columns: Mapping[str, Any], rows: Sequence[Any], table: Any) -> None:
        self.form = form
        self._columns, self._rows, self._table = columns, rows, table

    @property
    def shown(self) -> list[Any]:
        """Components that `look` updates."""
        return [*self.form.messages, *self._columns.values(), *self._rows, self._table]

    @property
    def lists(self) -> list[Any]:
        """The dropdowns of networks."""
        return [field.component for field in self.form.fields if field.name in _FIELDS]

    def look(self, *entered: Any) -> list[Any]:
        """Show the fields that have an effect, what is wrong with them, and which methods are possible."""
        values = self.form.values(entered)
        chosen = chosen_rows(values)
        problems, table = _judge(values, chosen)
        used = used_fields(values["method"], chosen if len(chosen) > 1 else (1, 2))
        return [
            *self.form.message_updates({error.field: as_sentence(error) for error in problems}),
            *(gr.update(visible=name in used) for name in self._columns),
            gr.update(visible=not used.isdisjoint(OWN_OPTIONS)),
            *(gr.update(visible=row in chosen or row - 1 in chosen) for row in range(3, ROWS + 1)),
            table,
        ]

    def predict(self, *entered: Any) -> tuple[str, Prediction | None]:
        """Measure what the chosen method would make; return the report of an error, and the figures."""
        try:
            return "", (list(entered), _predict(self.form.values(entered)))
        except WorkbenchError as error:
            return self.form.explain(error), None

    def show_prediction(self, prediction: Prediction | None, *entered: Any) -> Any:
        """Show the figures in the table, unless other values stand in the fields by now."""
        if prediction is None or prediction[0] != list(entered):
            return gr.update()
        values = self.form.values(entered)
        return _judge(values, chosen_rows(values), prediction[1])[1]

    def merge(self, *entered: Any) -> tuple[str, Any]:
        """Merge the networks, write the file, and compare its effect with theirs."""
        values = self.form.values(entered)
        try:
            return _merge(values)
        except WorkbenchError as error:
            return self.form.explain(error), gr.update()


def refreshed() -> list[Any]:
    """Return updates of the dropdowns of networks, read again from the folder."""
    shared.reload_hypernetworks()
    names = inspecting.names()
    return [gr.update(choices=names if row <= _TWO else [NONE, *names]) for row in range(1, ROWS + 1)]


def _judge(
    values: Mapping[str, Any], chosen: Sequence[int], found: tuple[check.Difference, ...] | None = None
) -> tuple[list[SettingsError], str]:
    """Return what is wrong with the fields that are filled in, and the table of the methods or why there is none.

    Args:
        found: how the result of the chosen method would differ, if that was measured.
    """
    problems: list[SettingsError] = []
    outlines = [_collect_errors(problems, partial(_outline, values, row)) for row in chosen]
    settings = _collect_errors(problems, partial(_settings, values, chosen))
    if values["name"]:
        _collect_errors(problems, partial(_target, values))
    if len(chosen) < _TWO:
        return problems, note("Choose at least two networks; then a table shows what each method can do with them.")
    networks = [network for network in outlines if network is not None]
    if settings is None or len(networks) < len(chosen):
        return problems, note("The table of the methods returns when the fields are right.")
    plans = _plans(settings, networks, problems)
    predicted = {settings.method_name: found} if found is not None else {}
    return problems, page.methods_table(plans, settings.method_name, predicted, values["dtype"] != "float32")


def _plans(settings: MergeSettings, networks: Sequence[Hypernetwork], problems: list[SettingsError]) -> list[Plan]:
    """Return the plan of each method; block weights that do not fit the chosen method are a problem, and left out."""
    fitting = _collect_errors(problems, partial(settings.merge_options, settings.method_name, _widths(networks)))
    plans = []
    for method in method_names():
        weighted = _weighted(settings, networks, method)
        remark = ""
        options = None
        if fitting is not None:
            try:
                options = settings.merge_options(method, _widths(networks))
            except SettingsError:
                remark = "; the weights of single blocks are written in another way for it"
        made = plan(weighted, method, options)
        plans.append(replace(made, reason=made.reason + remark) if made.possible else made)
    return plans


@report_unexpected()
def _predict(values: Mapping[str, Any]) -> tuple[check.Difference, ...]:
    chosen = chosen_rows(values)
    _check(values, chosen)
    settings = _settings(values, chosen)
    _, inputs = _inputs(values, settings)
    return tuple(check.predict(inputs, settings.method_name, DTYPES[values["dtype"]]))


def _merge(values: Mapping[str, Any]) -> tuple[str, Any]:
    merged = merge_files(values)
    return done(merged.sentence), page.check_table(merged.differences, check.compared_with(merged.method))


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
    _check(values, chosen, _target)
    settings, result, target = _settings(values, chosen), _result(values), _target(values)
    paths, inputs = _inputs(values, settings)
    method = settings.method_name
    merged = merge(zip(inputs.networks, inputs.weights, strict=True), method, inputs.options)
    recipe = with_hashes(merged.metadata.training["merge"], [files.short_hash(path) for path in paths])
    merged.metadata.training["merge"] = recipe
    differences = check.differences(merged, inputs, method, DTYPES[result.dtype])
    return Merged(target, write(merged, target, result), method, differences)


def _inputs(values: Mapping[str, Any], settings: MergeSettings) -> tuple[list[Path], Inputs]:
    """Return the files of the chosen networks, and what is to be merged; raises SettingsError."""
    rows, method = settings.network_rows, settings.method_name
    outlines = [_outline(values, row) for row in rows]
    options = settings.merge_options(method, _widths(outlines))
    planned = plan(_weighted(settings, outlines, method), method, options)
    if not planned.possible:
        raise SettingsError("method", page.reason(planned))
    fields = [_FIELDS[row - 1] for row in rows]
    paths = [inspecting.network_path(values[field], field) for field in fields]
    networks = [load(path, values[field], field) for path, field in zip(paths, fields, strict=True)]
    return paths, check_inputs(_weighted(settings, networks, method), options)


def _check(values: Mapping[str, Any], chosen: Sequence[int], *more: Callable[[Mapping[str, Any]], Any]) -> None:
    """Raise SettingsError for all fields that are wrong or missing, and for what `more` finds wrong."""
    problems = [SettingsError(_FIELDS[row - 1], "choose a network") for row in (1, 2) if row not in chosen]
    for row in chosen:
        _collect_errors(problems, partial(_outline, values, row))
    _collect_errors(problems, partial(_settings, values, chosen))
    for one in more:
        _collect_errors(problems, partial(one, values))
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


def _outline(values: Mapping[str, Any], row: int) -> Hypernetwork:
    name, field = values[_FIELDS[row - 1]], _FIELDS[row - 1]
    try:
        return outline(inspecting.network_path(name, field), name)
    except HypernetworkFileError as error:
        raise SettingsError(field, file_problem(error)) from error


def _settings(values: Mapping[str, Any], chosen: Sequence[int]) -> MergeSettings:
    """Return the settings without the values of hidden fields; raises SettingsError."""
    used = used_fields(values["method"], chosen) | {"method", *(_FIELDS[row - 1] for row in chosen)}
    return MergeSettings.from_mapping({name: values[name] for name in _MERGE_FIELDS & used})


def _result(values: Mapping[str, Any]) -> ResultSettings:
    return ResultSettings.from_mapping({name: values[name] for name in _RESULT_FIELDS})


def _target(values: Mapping[str, Any]) -> Path:
    return _result(values).target(host.network_dir())


def _weighted(
    settings: MergeSettings, networks: Sequence[Hypernetwork], method: str
) -> list[tuple[Hypernetwork, float]]:
    return list(zip(networks, settings.weights(method), strict=True))


def _widths(networks: Sequence[Hypernetwork]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(width for network in networks for width in network.widths))


def _collect_errors(problems: list[SettingsError], work: Callable[[], ResultT]) -> ResultT | None:
    """Return what `work` returns, or None where it raises SettingsError, whose errors are added to `problems`."""
    try:
        return work()
    except SettingsError as error:
        problems += error.errors
    return None
