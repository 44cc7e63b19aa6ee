"""The handlers of the tab Train Tuning: what the page shows after each action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.jobs.train_entry import in_words, worded
from ....hypernetworks.pages.sentences import done, note, refused
from ....hypernetworks.queue.kinds.tune import TuneJob
from ....hypernetworks.tuning import TuneSettings
from ....hypernetworks.tuning.brain import Brain
from ....hypernetworks.tuning.optuna_plots import COORDINATES, FRONT, IMPORTANCE, WAY
from ....hypernetworks.tuning.page import page
from ....hypernetworks.tuning.space import Space
from ....hypernetworks.tuning.space.originals import unread_choices
from ....hypernetworks.tuning.space.reading import parse
from ...patching.error_reports import report_unexpected
from ...queue.adding import added
from ...runs import training, tuning
from ...runs.run import runs
from ..form import Form
from ..train.handlers import IN_TRAIN
from ..train.handlers import Handlers as TrainHandlers
from . import work

SECTION = "tune"
#: Optuna's plots, as they are shown where plotly is there.
PLOTS = (COORDINATES, IMPORTANCE, FRONT, WAY)
_AT_RANGES = f"{SECTION}.ranges"
_NONE = "There is no study yet."
_AT_FIRST = "A study goes on. Press “Refresh list” when its first trial has ended."


class Handlers:
    """Functions for the events of the tab.

    Args:
        form: the fields of `TuneSettings`.
        train: the handlers of Train Gamma, whose form is the job; None where the page has none.

    Attributes:
        ended_with: what the last study that was started here ended with.
    """

    def __init__(self, form: Form, train: TrainHandlers | None) -> None:
        self.form, self._train = form, train
        self.ended_with = ""

    def look(self, *entered: Any) -> list[Any]:
        """Return how many trials there would be, and what is wrong with the entry."""
        try:
            settings = self._settings(entered)
            brain = Brain(settings, Space((*unread_choices(settings), *parse(settings.ranges))))
        except SettingsError as error:
            return ["", *self.form.message_updates(_reasons(error))]
        count = brain.most_trials
        sentence = "The study has one trial." if count == 1 else f"The study has up to {count} trials."
        return [note(sentence), *self.form.message_updates({})]

    def start(self, _task: str, url: str, *entered: Any) -> tuple[Any, str]:
        """Do the trials of a study; return the list of studies with it chosen, and sentences on the result."""

        def act() -> tuple[Any, str]:
            tables, settings = self._study(entered)
            address = (url or "").strip()
            result = tuning.tune_job(tables, settings, url=address)
            work.note(result.study, address)
            said = done(*map(worded, result.lines()), f"Networks, table and sheet are in {result.study.folder}.")
            return _choice(list(work.studies()), work.called(result.study.folder)), said

        try:
            with report_unexpected():
                training.require_training()
                answer = act()
        except WorkbenchError as error:
            answer = gr.update(), self._explained(error)
        self.ended_with = answer[1]
        return answer

    def queue(self, url: str, *entered: Any) -> str:
        """Add the study to the queue; return a sentence."""
        try:
            with report_unexpected():
                training.require_training()
                if (url or "").strip():
                    raise SettingsError("Shared study", "is left to Start the study; the queue is of this machine")
                tables, settings = self._study(entered)
                work.check_files(settings)
                return done(added(TuneJob.from_mapping({**tables, SECTION: settings.to_mapping()})))
        except WorkbenchError as error:
            return self._explained(error)

    def listing(self, chosen: str) -> list[Any]:
        """Return the list of studies, one of them chosen, and what `show` returns for it."""
        found = list(work.studies())
        name = chosen if chosen in found else "".join(found[:1])
        return [_choice(found, name), *self.show(name)]

    def show(self, name: str) -> list[Any]:
        """Return trials, answer, sheet, table and Optuna's plots of a study; nothing where there is none."""
        nothing = [gr.update(value=None), *[gr.update(value=None, visible=False)] * (1 + len(PLOTS))]
        if not name:
            return [_choice([], ""), note(_AT_FIRST if runs.active and runs.active.is_study else _NONE), *nothing]
        try:
            answer = work.answer_of(name)
            files, plots = answer.write(), answer.plots()
        except WorkbenchError as error:
            return [_choice([], ""), refused([f"{error}."]), *nothing]
        found = work.trials(answer)
        sheets = [str(path) for path in files if path.suffix == ".png"]
        return [
            _choice(found, "".join(found[:1])),
            page(answer, plots),
            gr.update(value=sheets),
            gr.update(value=str(files[0]), visible=True),
            *(gr.update(value=plots.get(name), visible=name in plots) for name in PLOTS),
        ]

    @staticmethod
    def active_task() -> str:
        """Return the task of the study that goes on; empty where there is none."""
        run = runs.active
        return (run.task or "") if run is not None and run.is_study else ""

    def take_settings(self, train: TrainHandlers) -> Callable[..., list[Any]]:
        """Return the handler that fills the settings of the chosen trial into the form of `train`."""

        def handle(name: str, trial_words: str, *entered: Any) -> list[Any]:
            try:
                answer = work.answer_of(name)
                trial = work.trial_of(answer, trial_words)
                job = answer.study.taken(trial)
            except WorkbenchError as error:
                return [self._explained(error), *(gr.update() for _ in train.filled)]
            said = [f"The form of Train Gamma has the settings of trial {trial.number + 1} now."]
            if shape := work.new_shape(answer.study.settings_of(trial)):
                said.append(f"Its network was a new one: {shape}.")
            return [done(*said), *train.fill_job(job, entered)]

        return handle

    def take_network(self, name: str, trial_words: str) -> str:
        """Copy what the chosen trial has trained to the host's folders; return a sentence on each file."""
        try:
            answer = work.answer_of(name)
            paths = work.take_results(answer, work.trial_of(answer, trial_words))
        except WorkbenchError as error:
            return self._explained(error)
        return done(*(f"Saved as {path.name} in {path.parent}." for path in paths))

    def _study(self, entered: Sequence[Any]) -> tuple[dict[str, Any], TuneSettings]:
        """Return the tables of the job and the settings of the study; raises SettingsError."""
        count = len(self.form.components)
        settings = self._settings(entered[:count])
        if self._train is None:
            raise SettingsError(_AT_RANGES, "this page has no form of Train Gamma, which is the job")
        return work.tables_of(self._train.form.values(entered[count:]), settings), settings

    def _settings(self, entered: Sequence[Any]) -> TuneSettings:
        values = self.form.values(entered)[SECTION]
        try:
            return TuneSettings.from_mapping(values)
        except SettingsError as error:
            raise error.within(SECTION) from error

    def _explained(self, error: WorkbenchError) -> str:
        own = self._train.form if self._train else self.form
        several = error.errors if isinstance(error, SettingsError) else ()
        ours = [one for one in several if one.field.startswith(f"{SECTION}.")]
        others = [one for one in several if one not in ours]
        if not ours:
            return own.explain(in_words(error), elsewhere=IN_TRAIN)
        rest = own.explain(in_words(SettingsError.joined(others)), elsewhere=IN_TRAIN) if others else ""
        return self.form.explain(SettingsError.joined(ours)) + rest


def _reasons(error: SettingsError) -> dict[str, str]:
    """Return the reason for each field of the form; those of settings to try are told at the field for them."""
    found: dict[str, str] = {}
    for one in error.errors:
        is_own = one.field.startswith(f"{SECTION}.")
        field, reason = (one.field, one.reason) if is_own else (_AT_RANGES, f"{one.field}: {one.reason}")
        # What was typed there, and is to be, are names of a job file.
        found.setdefault(field, reason if field == _AT_RANGES else worded(reason))
    return found


def _choice(choices: list[str], value: str) -> Any:
    return gr.update(choices=choices, value=value or None)
