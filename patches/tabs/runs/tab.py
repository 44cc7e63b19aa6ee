"""The layout of the tab Runs, and the connections of its events."""

from __future__ import annotations

from typing import Any

import gradio as gr
from modules import call_queue

from ..frame import controls, form_column, frame, panel_column, wipe_on
from ..train import buttons, tab
from ..train.handlers import Handlers as TrainHandlers
from .handlers import Handlers

_ID = "hnw_runs"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def build(_params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    make_tab(tab.handlers_of_page())


def make_tab(train: TrainHandlers | None = None) -> Handlers:
    """Make the tab in the block that is open now.

    Args:
        train: the handlers of the tab Train Gamma, if it is on this page; without it no run is continued from here.
    """
    parts: dict[str, Any] = {}
    with gr.Tab("Runs", elem_id=f"{_ID}_tab") as opened, frame():
        with form_column(_ID):
            parts["refresh"] = gr.Button("Refresh list", size="sm", elem_id=f"{_ID}_refresh")
            parts["list"] = gr.HTML(elem_id=f"{_ID}_list")
        with panel_column(_ID, is_sticky=True):
            with controls(_ID):
                parts |= _buttons(train is not None)
                parts["status"] = gr.HTML(elem_id=f"{_ID}_status")
            parts["details"] = gr.HTML(elem_id=f"{_ID}_details")
            parts["taken"] = gr.CheckboxGroup(
                [],
                label="Take from the form",
                info="Continue uses the settings of the run; what is ticked here is taken from Train Gamma instead.",
                visible=False,
                elem_id=f"{_ID}_taken",
            )
            parts["comparison"] = gr.HTML(elem_id=f"{_ID}_comparison")
            parts["ids"], parts["task"] = gr.Textbox(visible=False), gr.Textbox(visible=False)
            parts["go_on"] = gr.Button("Continue", elem_id=f"{_ID}_go_on", elem_classes="hnw-hidden")
    parts["taken"].do_not_save_to_config = True
    handlers = Handlers(train.form if train else None)
    _connect(opened, handlers, parts, train)
    return handlers


def _buttons(has_form: bool) -> dict[str, Any]:
    with gr.Row(visible=has_form):
        found = {
            "continue": gr.Button("Continue the ticked run", variant="primary", elem_id=f"{_ID}_continue"),
            "fill": gr.Button("Use in Train Gamma", elem_id=f"{_ID}_fill"),
        }
    with gr.Row():
        return found | {
            "show": gr.Button("Show settings", size="sm", elem_id=f"{_ID}_show"),
            "compare": gr.Button("Compare", size="sm", elem_id=f"{_ID}_compare"),
            "board": gr.Button("TensorBoard", size="sm", elem_id=f"{_ID}_board"),
        }


def _connect(opened: Any, handlers: Handlers, parts: dict[str, Any], train: TrainHandlers | None) -> None:
    entered = train.form.components if train else []
    wipe_on([parts[name] for name in ("refresh", "show", "compare", "board", "fill", "continue")], [parts["status"]])
    for event in (opened.select, parts["refresh"].click):
        event(handlers.listing, outputs=[parts["list"]], **_QUICK)
    shown = [parts["details"], parts["taken"], parts["comparison"], parts["status"]]
    parts["show"].click(handlers.show, [parts["ids"], *entered], shown, _js="hnwChosenRuns", **_QUICK)
    parts["compare"].click(handlers.compare, [parts["ids"]], shown, _js="hnwChosenRuns", show_progress="hidden")
    parts["board"].click(handlers.board, [parts["ids"]], [parts["status"]], _js="hnwChosenRuns", show_progress="hidden")
    if train is None:
        return
    filled = parts["fill"].click(
        handlers.fill(train), [parts["ids"], *entered], [parts["status"], *train.filled], _js="hnwChosenRuns", **_QUICK
    )
    filled.then(None, [parts["status"]], None, _js="hnwOpenTrainUnlessRefused")
    resume = call_queue.wrap_gradio_gpu_call(handlers.resume, extra_outputs=[gr.update()])
    asked = parts["continue"].click(handlers.refusal, [parts["ids"]], [parts["status"]], _js="hnwChosenRuns", **_QUICK)
    asked.then(None, [parts["status"]], None, _js="hnwContinueUnlessRefused")
    wipe_on([parts["go_on"]], [train.panel.status])
    parts["go_on"].click(
        buttons.one_at_a_time(resume),
        [parts["task"], parts["ids"], parts["taken"], *entered],
        [train.panel.gallery, train.panel.status],
        _js="hnwContinueChosenRun",
        show_progress="hidden",
    )
