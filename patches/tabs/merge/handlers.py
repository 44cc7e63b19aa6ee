"""The handlers of the tab Merge Hypernetworks: check the chosen networks, and merge them into one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
from modules import shared

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.merge import Plan, check, method_names, plan
from ....hypernetworks.merge.settings import NONE, OWN_OPTIONS, ROWS, MergeSettings, chosen_rows, used_fields
from ....hypernetworks.network.hypernetwork import Hypernetwork
from ....hypernetworks.pages import merge as page
from ....hypernetworks.pages.sentences import done, note
from ...queue.adding import added
from ..form import Form
from ..inspect import work as inspecting
from . import work

#: What was entered, and what it would give.
Prediction = tuple[list[Any], tuple[check.Difference, ...]]
_TWO = 2


class MergeHandlers:
    """Functions for the events of the merge itself.

    Args:
        form: the fields of `MergeSettings` and `ResultSettings`.
        columns: the fields that are shown only where they have an effect, by name.
        rows: the row of the options that only some methods have, and those of the third and fourth network.
        table: shows the methods.
        made: state with the values of which the last file was made; None if the last press was refused. Their name is
            taken by that file, which is no fault of theirs.
    """

    def __init__(self, form: Form, columns: Mapping[str, Any], rows: Sequence[Any], table: Any, made: Any) -> None:
        self.form, self.made = form, made
        self._columns, self._rows, self.table = columns, rows, table

    @property
    def inputs(self) -> list[Any]:
        """Components whose values `look` takes."""
        return [self.made, *self.form.components]

    @property
    def shown(self) -> list[Any]:
        """Components that `look` updates."""
        return [*self.form.messages, *self._columns.values(), *self._rows, self.table]

    @property
    def lists(self) -> list[Any]:
        """The dropdowns of networks."""
        return [field.component for field in self.form.fields if field.name in work.FIELDS]

    def look(self, made: list[Any] | None, *entered: Any) -> list[Any]:
        """Show the fields that have an effect, what is wrong with them, and which methods are possible."""
        values = self.form.values(entered)
        chosen = chosen_rows(values)
        problems, table = _judge(values, chosen)
        if made == list(entered):
            problems = [error for error in problems if error.field != "name"]
        used = used_fields(values["method"], chosen if len(chosen) > 1 else (1, 2))
        return [
            *self.form.message_updates({error.field: error.reason for error in problems}),
            *(gr.update(visible=name in used) for name in self._columns),
            gr.update(visible=not used.isdisjoint(OWN_OPTIONS)),
            *(gr.update(visible=row in chosen or row - 1 in chosen) for row in range(3, ROWS + 1)),
            table,
        ]

    def predict(self, *entered: Any) -> tuple[str, Prediction | None]:
        """Measure what the chosen method would make; return the report of an error, and the figures."""
        try:
            return "", (list(entered), work.predict(self.form.values(entered)))
        except WorkbenchError as error:
            return self.form.explain(error), None

    def show_prediction(self, prediction: Prediction | None, *entered: Any) -> Any:
        """Show the figures in the table, unless other values stand in the fields by now."""
        if prediction is None or prediction[0] != list(entered):
            return gr.update()
        values = self.form.values(entered)
        return _judge(values, chosen_rows(values), prediction[1])[1]

    def queue(self, *entered: Any) -> str:
        """Add the merge to the queue; return the sentence on that, or the report of an error."""
        try:
            return done(added(work.queued(self.form.values(entered))))
        except WorkbenchError as error:
            return self.form.explain(error)

    def merge(self, *entered: Any) -> tuple[str, Any, list[Any] | None]:
        """Merge the networks, write the file, and compare its effect with theirs; return the new `made` last."""
        values = self.form.values(entered)
        try:
            return (*_merge(values), list(entered))
        except WorkbenchError as error:
            return self.form.explain(error), gr.update(), None


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
    outlines = [work.collect_errors(problems, partial(work.outline_of, values, row)) for row in chosen]
    settings = work.collect_errors(problems, partial(work.settings_of, values, chosen))
    if values["name"]:
        work.collect_errors(problems, partial(work.target_of, values))
    if len(chosen) < _TWO:
        return problems, note("Choose at least two networks; then a table shows what each method can do with them.")
    networks = [network for network in outlines if network is not None]
    if settings is None or len(networks) < len(chosen):
        return problems, note("The table of the methods returns when the fields are right.")
    plans = _plans(settings, networks, problems)
    is_rounded = values["dtype"] != "float32"
    if found is None:
        return problems, page.methods_table(plans, settings.method_name, {}, is_rounded)
    told = done(page.difference(found, check.compared_with(settings.method_name)))
    return problems, told + page.methods_table(plans, settings.method_name, {settings.method_name: found}, is_rounded)


def _plans(settings: MergeSettings, networks: Sequence[Hypernetwork], problems: list[SettingsError]) -> list[Plan]:
    """Return the plan of each method; block weights that do not fit the chosen method are a problem, and left out."""
    widths = work.widths(networks)
    fitting = work.collect_errors(problems, partial(settings.merge_options, settings.method_name, widths))
    plans = []
    for method in method_names():
        weighted = work.weighted(settings, networks, method)
        remark = ""
        options = None
        if fitting is not None:
            try:
                options = settings.merge_options(method, widths)
            except SettingsError:
                remark = "; the weights of single blocks are written in another way for it"
        made = plan(weighted, method, options)
        plans.append(replace(made, reason=made.reason + remark) if made.possible else made)
    return plans


def _merge(values: Mapping[str, Any]) -> tuple[str, Any]:
    merged = work.merge_files(values)
    return done(merged.sentence), page.check_table(merged.differences, check.compared_with(merged.method))
