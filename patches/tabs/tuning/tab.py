"""The layout of the tab Train Tuning, and the connections of its events."""

from __future__ import annotations

from typing import Any

import gradio as gr
from modules import call_queue

from ....hypernetworks.base.options import groups
from ....hypernetworks.pages.sentences import note
from ....hypernetworks.tuning import TuneSettings, optuna_package
from ....hypernetworks.tuning.space.settings import RANDOM, STYLE
from ..form import Form
from ..frame import FIELD_PX, controls, form_column, frame, panel_column, progress_place, wipe_on
from ..train import buttons, tab
from ..train.handlers import Handlers as TrainHandlers
from .handlers import PLOTS, SECTION, Handlers

_ID = "hnw_tuning"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def build(_params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    make_tab(tab.handlers_of_page())


def make_tab(train: TrainHandlers | None = None) -> Handlers:
    """Make the tab in the block that is open now.

    Args:
        train: the handlers of the tab Train Gamma, if it is on this page; its form is the job of a study.
    """
    form = Form(_ID, shows_problems=True)
    parts: dict[str, Any] = {}
    with gr.Tab("Train Tuning", elem_id=f"{_ID}_tab") as opened, frame():
        with form_column(_ID):
            gr.HTML(
                note(
                    "Trains what is entered in Train Gamma again and again, with other settings each time, and tells "
                    "which did best. Pressed again, a study goes on."
                )
            )
            # What the page begins with can be started at once.
            start = {"objective": STYLE} | ({} if optuna_package.is_installed() else {"method": RANDOM})
            form.add_rows({SECTION: TuneSettings}, {SECTION: start})
            parts["count"] = gr.HTML(elem_id=f"{_ID}_count")
            form.add_folds({SECTION: TuneSettings}, {}, groups([TuneSettings]))
            parts["url"] = _shared()
        with panel_column(_ID, is_sticky=True):
            with controls(_ID):
                parts |= _buttons()
                progress_place(_ID)
                parts["status"] = gr.HTML(elem_id=f"{_ID}_status")
            parts |= _answer(train is not None)
        handlers = Handlers(form, train)
        _connect(opened, handlers, parts, train)
    return handlers


def _shared() -> Any:
    shared = gr.Textbox(
        "",
        label="Shared study",
        info="Address of a database, such as postgresql://user:password@host/name, where several machines work at one "
        "study. Empty: a study of this machine.",
        elem_id=f"{_ID}_url",
    )
    shared.do_not_save_to_config = True
    return shared


def _buttons() -> dict[str, Any]:
    with gr.Row():
        main = {
            "start": gr.Button("Start the study", variant="primary", scale=2, elem_id=f"{_ID}_button"),
            "interrupt": gr.Button("Interrupt", elem_id=f"{_ID}_interrupt"),
            "task": gr.Textbox(visible=False),
        }
    with gr.Row():
        return main | {"queue": gr.Button("Add to queue", size="sm", elem_id=f"{_ID}_queue")}


def _answer(has_form: bool) -> dict[str, Any]:
    with gr.Row():
        parts: dict[str, Any] = {
            "study": gr.Dropdown(
                [], label="Study", min_width=FIELD_PX, elem_id=f"{_ID}_study", elem_classes="hnw-names"
            ),
            "trial": gr.Dropdown(
                [], label="Trial", min_width=FIELD_PX, elem_id=f"{_ID}_trial", elem_classes="hnw-names"
            ),
        }
    with gr.Row():
        parts["refresh"] = gr.Button("Refresh list", size="sm", elem_id=f"{_ID}_refresh")
        parts["settings"] = gr.Button(
            "Take these settings", size="sm", visible=has_form, elem_id=f"{_ID}_take_settings"
        )
        parts["network"] = gr.Button("Take this network", size="sm", elem_id=f"{_ID}_take_network")
    parts["answer"] = gr.HTML(elem_id=f"{_ID}_answer")
    for name in PLOTS:
        parts[name] = gr.Plot(show_label=False, visible=False, elem_id=f"{_ID}_plot_{name}")
    parts["gallery"] = gr.Gallery(
        label="Pictures of the trials", show_label=False, columns=1, object_fit="contain", elem_id=f"{_ID}_gallery"
    )
    parts["table"] = gr.File(label="Table of the trials", visible=False, interactive=False, elem_id=f"{_ID}_table")
    for name in ("study", "trial"):
        parts[name].do_not_save_to_config = True
    return parts


def _connect(opened: Any, handlers: Handlers, parts: dict[str, Any], train: TrainHandlers | None) -> None:
    entered = train.form.components if train else []
    form = handlers.form
    soon = form.look_with(handlers.look, form.components, [parts["count"], *form.messages])
    wipe_on([parts[name] for name in ("start", "queue", "settings", "network")], [parts["status"]])
    shown = [parts["trial"], parts["answer"], parts["gallery"], parts["table"], *(parts[name] for name in PLOTS)]
    for event in (opened.select, parts["refresh"].click):
        event(handlers.listing, [parts["study"]], [parts["study"], *shown], **_QUICK)
    opened.select(None, None, None, _js=soon)
    # This page may have been closed meanwhile, and the queue or another page may have started a study.
    opened.select(handlers.active_task, outputs=[parts["task"]], **_QUICK).then(
        None, [parts["task"]], None, _js="hnwFollowStudy"
    )
    parts["study"].input(handlers.show, [parts["study"]], shown, show_progress="hidden")
    started = parts["start"].click(
        buttons.one_at_a_time(call_queue.wrap_gradio_gpu_call(handlers.start, extra_outputs=[gr.update()])),
        [parts["task"], parts["url"], *form.components, *entered],
        [parts["study"], parts["status"]],
        _js=f"(...given) => hnwStartJob('{_ID}', given)",
        show_progress="hidden",
    )
    started.then(handlers.listing, [parts["study"]], [parts["study"], *shown], **_QUICK)
    parts["interrupt"].click(buttons.interrupt, [parts["task"]], [parts["status"]], _js=_COMING, **_QUICK).then(
        lambda status: buttons.after_interrupt(status, lambda: handlers.ended_with),
        [parts["status"]],
        [parts["status"]],
        **_QUICK,
    )
    parts["queue"].click(
        handlers.queue, [parts["url"], *form.components, *entered], [parts["status"]], show_progress="hidden"
    )
    chosen = [parts["study"], parts["trial"]]
    parts["network"].click(handlers.take_network, chosen, [parts["status"]], show_progress="hidden")
    if train is None:
        return
    taken = parts["settings"].click(
        handlers.take_settings(train), [*chosen, *entered], [parts["status"], *train.filled], **_QUICK
    )
    taken.then(None, [parts["status"]], None, _js="hnwOpenTrainUnlessRefused")


#: Interrupt is for the study that this page has started last.
_COMING = f"() => hnwStartedJob('{_ID}')"
