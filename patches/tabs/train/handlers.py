"""The handlers of the tab Train Gamma: check, plot, fill in, save and load the entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from modules import paths

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.files import listing
from ....hypernetworks.jobs import train_files
from ....hypernetworks.jobs.settings_text import MAX_BYTES
from ....hypernetworks.jobs.train_entry import in_words, planned_rates, problems
from ....hypernetworks.pages.sentences import done, note
from ....hypernetworks.train.settings.job import Job
from ...model import lookup
from ...runs.job import draft, listed_name, missing_network, trains_words_alone
from ...runs.run import runs
from ..form import Form
from ..head import Head
from ..own_presets import OwnPresets
from .continuing import coming

_UNNAMED = "training"
#: Told in another tab about a field of this one.
IN_TRAIN = "That is entered in Train Gamma."


@dataclass(frozen=True)
class Panel:
    """The components that show something about the entry, and those that show what comes of it."""

    training: OwnPresets
    data: OwnPresets
    plot: Any
    continues: Any
    gallery: Any
    status: Any
    head: Head


class Handlers:
    """Functions for the events of the tab; each takes the values of the form's components last."""

    def __init__(self, form: Form, panel: Panel) -> None:
        self.form = form
        self.panel = panel

    @property
    def shown(self) -> list[Any]:
        """Components that `look` updates."""
        panel = self.panel
        beside = [*panel.training.shown, *panel.data.shown, panel.head.marks, panel.continues]
        return [panel.plot, *beside, *self.form.messages]

    @property
    def filled(self) -> list[Any]:
        """Components that `choose_preset` updates, and `load` after the status."""
        return [*self.form.components, *self.shown]

    @property
    def looked_at(self) -> list[Any]:
        """Components whose values `look` takes: the lists of presets, then the form."""
        return [self.panel.training.choice, self.panel.data.choice, *self.form.components]

    def look(self, training: str, data: str, *entered: Any) -> list[Any]:
        """Plot the rates and check the entry."""
        return self._look(self.form.values(entered), {self.panel.training: training, self.panel.data: data})

    def choose_preset(self, name: str, *entered: Any) -> list[Any]:
        """Fill in a recipe; raises SettingsError where its file cannot be read."""
        return self._choose(self.panel.training, name, entered)

    def choose_data(self, name: str, *entered: Any) -> list[Any]:
        """Fill in a preset for the data; raises SettingsError where its file cannot be read."""
        return self._choose(self.panel.data, name, entered)

    def by_address(self, *entered: Any) -> dict[str, Any]:
        """Return what was entered, by `section.name`."""
        return _by_address(self.form.values(entered))

    def save(self, *entered: Any) -> tuple[str, Any]:
        """Save the settings as a job file and offer it for download."""
        tables = draft(self.form.values(entered))
        is_named = bool(tables["output"]["name"])
        if not is_named:
            tables["output"]["name"] = _UNNAMED
        try:
            folder = Path(paths.data_path) / "training-settings"
            path = train_files.save(Job.from_mapping(tables), folder, is_named)
        except WorkbenchError as error:
            return self.form.explain(in_words(error)), gr.update()
        return done(f"Saved as {path}."), gr.update(value=str(path), visible=True)

    def load(self, file: Any, *entered: Any) -> list[Any]:
        """Fill in the settings of an uploaded file, as far as they can be used."""
        path = Path(file.name)
        try:
            with path.open("rb") as stream:
                loaded = train_files.read(stream.read(MAX_BYTES + 1), path.name)
        except WorkbenchError as error:
            return [self.form.explain(in_words(error)), *self.fill({}, entered)]
        _choose_network(loaded)
        status = ""
        if loaded.errors:
            status = self.form.explain(in_words(SettingsError.joined(loaded.errors)))
        if loaded.left_out:
            sentence = f"Without a counterpart here, and so left out: {', '.join(loaded.left_out)}"
            status += self.form.explain(WorkbenchError(sentence))
        rest = "the rest of " if status else ""
        told = done(f"Loaded {rest}{path.name}.", self.form.told_changes(loaded.values, entered))
        return [status + told, *self.fill(loaded.values, entered)]

    def fill_job(self, job: Job, entered: Sequence[Any]) -> list[Any]:
        """Return updates of `filled` that fill in the settings of a run; a network that is not listed is left out."""
        tables = job.to_mapping()
        values = {f"{section}.{key}": value for section, table in tables.items() for key, value in table.items()}
        path = values.pop("network.file")
        name = listed_name(path) if path else None
        return self.fill(values | ({"network.file": name} if name else {}), entered)

    def show_active(self, *entered: Any) -> list[Any]:
        """Return the task of the run that goes on, and updates of `filled` with its settings; nothing where none is.

        Each trial of a study has settings of its own, so the form stays as it is.
        """
        run = runs.active
        if run is None or run.job is None:
            return ["", *(gr.update() for _ in self.filled)]
        if run.is_study:
            return [run.task or "", *(gr.update() for _ in self.filled)]
        return [run.task or "", *self.fill_job(run.job, entered)]

    @staticmethod
    def active_task() -> str:
        """Return the task of the run that goes on, for a page that does not follow it yet; empty where none is."""
        return (runs.active.task or "") if runs.active else ""

    def fill(
        self,
        changes: Mapping[str, Any],
        entered: Sequence[Any],
        chosen: Mapping[OwnPresets, str] | None = None,
    ) -> list[Any]:
        """Return updates that fill in new values, with those of `look` for the result.

        Args:
            chosen: the preset that they are of; other lists of presets stay as they are.
        """
        tables = self.form.values(entered)
        for address, value in changes.items():
            section, _, name = address.partition(".")
            if name in tables.get(section, {}):
                tables[section][name] = value
        return [*self.form.filled(changes), *self._look(tables, chosen)]

    def _choose(self, presets: OwnPresets, name: str, entered: Sequence[Any]) -> list[Any]:
        preset = presets.get(name)
        return self.fill(preset.values() if preset else {}, entered, {presets: name})

    def _look(self, tables: dict[str, Any], chosen: Mapping[OwnPresets, str] | None = None) -> list[Any]:
        drafted = draft(tables)
        plot, of_rates = _plot(drafted)
        reasons = problems(drafted, of_rates)
        network = tables["network"]["file"]
        if network and not trains_words_alone(tables) and listing.find(lookup.listed(network), network) is None:
            reasons["network.file"] = missing_network(network)
        entered = _by_address(tables)
        shelves = {self.panel.training: "", self.panel.data: ""} if chosen is None else chosen
        return [
            plot,
            *self._matching(self.panel.training, entered, shelves),
            *self._matching(self.panel.data, entered, shelves),
            self.panel.head.update(tables),
            coming(tables),
            *self.form.message_updates(reasons),
        ]

    @staticmethod
    def _matching(presets: OwnPresets, entered: Mapping[str, Any], chosen: Mapping[OwnPresets, str]) -> list[Any]:
        if presets not in chosen:
            return [gr.update() for _ in presets.shown]
        return presets.match(entered, chosen[presets])


def _by_address(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{section}.{name}": value for section, table in tables.items() for name, value in table.items()}


def _choose_network(loaded: train_files.LoadedJob) -> None:
    """Replace the path of the network by its name in the list."""
    path = loaded.values.pop("network.file", "")
    if not path:
        return
    name = listed_name(path)
    if name is None:
        loaded.errors.append(SettingsError("network.file", f"{path} is not among the networks; left as it was"))
    else:
        loaded.values["network.file"] = name


def _plot(tables: Mapping[str, Mapping[str, Any]]) -> tuple[str, Sequence[SettingsError]]:
    """Return the learning rates of a run, or instead what is wrong with the fields that they are made of."""
    try:
        planned = planned_rates(tables)
    except SettingsError as error:
        return note("The plot of the learning rate returns when the entries are right."), error.errors
    return note(planned.line(), planned.chart()), ()
