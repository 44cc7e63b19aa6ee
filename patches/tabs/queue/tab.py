"""The layout of the tab Queue, and the connections of its events."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from ...queue.place import LETS_IN
from ..create import tab as create_tab
from ..frame import controls, form_column, frame, panel_column, wipe_on
from ..train import tab as train_tab
from . import handlers

_ID = "hnw_queue"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def build(_params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    make_tab()


def make_tab() -> None:
    """Make the tab in the block that is open now."""
    parts: dict[str, Any] = {}
    with gr.Tab("Queue", elem_id=f"{_ID}_tab") as opened, frame():
        with form_column(_ID):
            parts["refresh"] = gr.Button("Refresh list", size="sm", elem_id=f"{_ID}_refresh")
            parts["list"] = gr.HTML(elem_id=f"{_ID}_list")
            parts |= _fields()
        with panel_column(_ID, is_sticky=True):
            with controls(_ID):
                parts |= _buttons()
                parts["status"] = gr.HTML(elem_id=f"{_ID}_status")
            parts["details"] = gr.HTML(elem_id=f"{_ID}_details")
            parts["ids"] = gr.Textbox(visible=False)
    for name in ("other", "lets_in", "ids"):
        parts[name].do_not_save_to_config = True
    _connect(opened, parts)
    _connect_create()


def _buttons() -> dict[str, Any]:
    rows = (
        (("up", "Move up"), ("down", "Move down"), ("first", "Move to the top")),
        (("pause", "Pause"), ("go_on", "Go on"), ("cancel", "Cancel")),
        (("retry", "Retry"), ("remove", "Delete"), ("show", "Show settings")),
    )
    found = {}
    for row in rows:
        with gr.Row():
            for name, text in row:
                found[name] = gr.Button(text, size="sm", min_width=90, elem_id=f"{_ID}_{name}")
    return found


def _fields() -> dict[str, Any]:
    with gr.Row(elem_classes="hnw-with-button", equal_height=False):
        other = gr.Textbox(
            "",
            label=handlers.AFTER,
            info="The number of a job that has to be done before the chosen ones. Empty: they begin in their turn.",
            max_lines=1,
            scale=3,
            elem_id=f"{_ID}_other",
        )
        after = gr.Button("Begin after it", size="sm", elem_id=f"{_ID}_after")
    lets_in = gr.Dropdown(
        list(LETS_IN),
        value=LETS_IN[0],
        label="Let generation in",
        info="between jobs lets others generate when a job ends; between steps also while it trains, after each step.",
        elem_id=f"{_ID}_lets_in",
    )
    with gr.Row():
        hold = gr.Button("Hold the queue", size="sm", elem_id=f"{_ID}_hold")
        release = gr.Button("Let jobs begin", size="sm", elem_id=f"{_ID}_release")
    return {"other": other, "after": after, "lets_in": lets_in, "hold": hold, "release": release}


def _connect(opened: Any, parts: dict[str, Any]) -> None:
    ids, listed = parts["ids"], [parts["list"], parts["status"]]
    asking: dict[str, Any] = {"_js": "hnwChosenJobs", **_QUICK}
    wipe_on([parts[name] for name in (*handlers.ACTS, "after", "hold", "release", "show")], [parts["status"]])
    for event in (opened.select, parts["refresh"].click):
        event(handlers.listing, outputs=[parts["list"]], **_QUICK)
    opened.select(handlers.shown_choice, outputs=[parts["lets_in"]], **_QUICK)
    for name in handlers.ACTS:
        parts[name].click(handlers.act(name), [ids], listed, **asking)
    for after in (parts["after"].click, parts["other"].submit):
        after(handlers.put_after, [ids, parts["other"]], listed, **asking)
    parts["show"].click(handlers.show, [ids], [parts["details"], parts["status"]], **asking)
    parts["hold"].click(partial(handlers.hold, True), outputs=listed, **_QUICK)
    parts["release"].click(partial(handlers.hold, False), outputs=listed, **_QUICK)
    parts["lets_in"].input(handlers.let_in, [parts["lets_in"]], [parts["status"]], **_QUICK)


def _connect_create() -> None:
    """Connect the button of the tab for new networks, which needs the form of Train Gamma too."""
    made, form = create_tab.made_on_page(), train_tab.form_of_page()
    if made is None or form is None:
        return
    button, status = made.buttons["queue"], made.buttons["status"]
    button.visible = True
    wipe_on([button], [status])
    given = [*made.handlers.inputs, *form.components]
    button.click(handlers.create_and_train(made.handlers, form), given, [status], **_QUICK)
