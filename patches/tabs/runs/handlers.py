"""The handlers of the tab Runs: what the page shows after each action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.jobs.train_entry import in_words
from ....hypernetworks.pages import runs as page
from ....hypernetworks.pages.sentences import done, refused
from ...runs import saved
from ..form import Form
from ..start_values import JOB_FORM
from ..train import buttons, going_on
from ..train.handlers import Handlers as TrainHandlers
from . import work

_MOST_COMPARED = 8


class Handlers:
    """Functions for the events of the tab; the ids of the chosen runs come first, one a line.

    Args:
        form: the form of Train Gamma; None where the page has none.
    """

    def __init__(self, form: Form | None) -> None:
        self._form = form

    def listing(self) -> str:
        """Return the list of runs."""
        found, problems = saved.all_runs()
        return page.listing([work.card(record) for record in found], problems)

    def show(self, ids: str, *entered: Any) -> tuple[Any, ...]:
        """Show the settings of the chosen run, and what the form has otherwise."""
        try:
            record = _one(ids)
            found = saved.differing(record, self._form.values(entered)) if self._form else []
        except WorkbenchError as error:
            return _nothing(error)
        choices = [(f"{label}: {form}", address) for address, label, _, form in found]
        details = page.details(record.name, [row[1:] for row in found], record.job.to_mapping(), JOB_FORM)
        taken = gr.update(choices=choices, value=[], visible=bool(choices) and record.is_resumable)
        return details, taken, "", ""

    def compare(self, ids: str) -> tuple[Any, ...]:
        """Show the chosen runs beside each other."""
        try:
            records = saved.chosen(ids)
            if len(records) > _MOST_COMPARED:
                raise SettingsError("Runs", f"choose at most {_MOST_COMPARED} to compare")
        except WorkbenchError as error:
            return _nothing(error)
        return "", gr.update(visible=False), page.comparison([work.compared(record) for record in records]), ""

    def board(self, ids: str) -> str:
        """Show TensorBoard on the log of the chosen run; return where, or why not."""
        return going_on.board_of(lambda: _one(ids))

    def fill(self, train: TrainHandlers) -> Callable[..., list[Any]]:
        """Return the handler that fills the settings of the chosen run into the form of `train`."""

        def handle(ids: str, *entered: Any) -> list[Any]:
            try:
                record = _one(ids)
            except WorkbenchError as error:
                return [_refusal(error), *(gr.update() for _ in train.filled)]
            return [done(f"The form has the settings of {record.name} now."), *train.fill_job(record.job, entered)]

        return handle

    def refusal(self, ids: str) -> str:
        """Return why no run can be continued by what is chosen; nothing where one can."""
        try:
            _one(ids)
        except WorkbenchError as error:
            return _refusal(error)
        return ""

    def resume(self, _task: str, ids: str, taken: Sequence[str], *entered: Any) -> tuple[Any, str]:
        """Continue the chosen run with its own settings, and with those of the form that are ticked."""
        form = self._form
        if form is None:
            raise SettingsError("Runs", "this page has no form of Train Gamma")
        return buttons.answered(form, lambda: buttons.go_on_with(_one(ids), form.values(entered), taken or ()))


def _one(ids: str) -> saved.RunRecord:
    found = saved.chosen(ids)
    if len(found) > 1:
        raise SettingsError("Runs", "choose only one run for this")
    return found[0]


def _nothing(error: WorkbenchError) -> tuple[Any, ...]:
    return gr.update(), gr.update(), gr.update(), _refusal(error)


def _refusal(error: WorkbenchError) -> str:
    return refused([f"{in_words(error)}."])
