"""The handlers of the tab Queue: what the page shows after each action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import SettingsError, WorkbenchError
from ....hypernetworks.jobs.train_entry import in_words
from ....hypernetworks.network.settings import CreateSettings
from ....hypernetworks.pages import queue as page
from ....hypernetworks.pages.sentences import done, refused
from ....hypernetworks.queue import Queue
from ...patching.error_reports import report_unexpected
from ...queue import place
from ...queue.adding import added, ask
from ..create.handlers import Handlers as CreateHandlers
from ..form import Form
from ..train.handlers import IN_TRAIN
from . import work

#: What each button asks of the chosen jobs, and what is said then.
ACTS: dict[str, tuple[Callable[[Queue, int], None], str]] = {
    "up": (lambda queue, id_: queue.move(id_, "up"), ""),
    "down": (lambda queue, id_: queue.move(id_, "down"), ""),
    "first": (lambda queue, id_: queue.move(id_, "first"), ""),
    "pause": (Queue.pause, "Paused: {}. One at work saves first, and makes room."),
    "go_on": (Queue.go_on, "Goes on in its turn: {}."),
    "cancel": (Queue.cancel, "Cancelled: {}. One at work saves first."),
    "retry": (Queue.retry, "Tried again in its turn: {}."),
    "remove": (Queue.remove, "Deleted: {}."),
}
_LAST_FIRST = ("down", "first")
AFTER = "Begin after job"
_LABELS = {"job": "", "after": f"{AFTER}: "}


def listing() -> str:
    """Return the list of jobs, or why it cannot be read."""
    try:
        queue = place.queue()
        return page.listing(work.cards(queue.entries()), queue.is_held)
    except WorkbenchError as error:
        return _refusal(error)


def act(name: str) -> Callable[[str], tuple[str, str]]:
    """Return the handler of a button: it takes the numbers of the chosen jobs, one a line; returns list and status."""
    does, sentence = ACTS[name]

    def handle(ids: str) -> tuple[str, str]:
        chosen = _chosen(ids)
        return _on_each(list(reversed(chosen)) if name in _LAST_FIRST else chosen, does, sentence)

    return handle


def put_after(ids: str, other: str) -> tuple[str, str]:
    """Let the chosen jobs begin when another is done, or in their turn where none is named."""
    text = (other or "").strip()
    if text and not text.isdecimal():
        return listing(), refused([f"{AFTER}: must be the number of a job."])
    before = int(text) if text else None
    return _on_each(_chosen(ids), lambda queue, id_: queue.put_after(id_, before), "The order is changed.")


def hold(is_held: bool) -> tuple[str, str]:
    """Let no job begin, or let jobs begin again."""
    try:
        ask(Queue.hold, is_held)
    except WorkbenchError as error:
        return listing(), _refusal(error)
    return listing(), ""


def let_in(choice: str) -> str:
    """Set when the jobs of others have their turn."""
    try:
        ask(lambda _: place.set_lets_in(choice))
    except WorkbenchError as error:
        return _refusal(error)
    return ""


def show(ids: str) -> tuple[str, str]:
    """Show the settings of the chosen job."""
    chosen = _chosen(ids)
    if len(chosen) != 1:
        return "", refused(["Choose one job for this."])
    try:
        entry = place.queue().get(chosen[0])
    except WorkbenchError as error:
        return "", _refusal(error)
    return page.details(entry.title, work.settings_text(entry)), ""


def shown_choice() -> Any:
    """Return an update with the present choice of when others have their turn."""
    try:
        return gr.update(value=place.lets_in())
    except WorkbenchError:  # the list says why
        return gr.update()


def create_and_train(create: CreateHandlers, train: Form) -> Callable[..., str]:
    """Return the handler that adds a job of the tab for new networks; takes its inputs and those of `train`."""
    count = len(create.inputs)

    def handle(*given: Any) -> str:
        try:
            with report_unexpected():
                settings: CreateSettings = create.settings(given[0], *given[1:count])
        except WorkbenchError as error:
            return create.form.explain(error)
        try:
            with report_unexpected():
                job = work.create_and_train(settings, train.values(given[count:]))
                return done(added(job), "It is trained with the settings of Train Gamma as they are now.")
        except WorkbenchError as error:
            return train.explain(in_words(error), elsewhere=IN_TRAIN)

    return handle


def _on_each(chosen: Sequence[int], does: Callable[[Queue, int], None], sentence: str) -> tuple[str, str]:
    """Ask something of each of the chosen jobs; return list and status, with what each of them refused."""
    if not chosen:
        return listing(), refused(["Choose a job first."])
    problems, named = [], []
    for id_ in chosen:
        try:
            with report_unexpected():
                ask(does, id_)
            named.append(str(id_))
        except WorkbenchError as error:
            problems.append(_in_words(error))
    said = done(sentence.format(", ".join(sorted(named, key=int)))) if named and sentence else ""
    return listing(), said + refused(list(dict.fromkeys(problems)))


def _chosen(ids: str) -> Sequence[int]:
    return [int(one) for one in (ids or "").split() if one.isdecimal()]


def _refusal(error: WorkbenchError) -> str:
    return refused([_in_words(error)])


def _in_words(error: WorkbenchError) -> str:
    """Return a sentence with the labels of the tab; one that names its job needs none."""
    if isinstance(error, SettingsError) and error.field in _LABELS:
        return f"{_LABELS[error.field]}{error.reason}."
    return f"{in_words(error)}."
