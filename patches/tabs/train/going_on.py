"""What can be asked of a run while it goes on: a copy, a preview, a pause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ....hypernetworks.base.errors import WorkbenchError
from ....hypernetworks.base.options import Option
from ....hypernetworks.jobs.train_entry import in_words
from ....hypernetworks.pages.sentences import done, link, refused
from ....hypernetworks.train.records import RunRecord
from ...patching.error_reports import report_unexpected
from ...runs import folders, saved, training
from ...runs.board import board
from ...runs.run import runs
from ..frame import FIELD_PX

_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
_PROMPT = Option("Prompt of the next preview", "For Preview now. Empty: that of the run's own previews.")
_NO_RUN = "No run is going on."


def make() -> dict[str, Any]:
    """Make the row, which the page's script shows while a run goes on; return its parts by name."""
    with gr.Column(elem_id="hnw_train_going_on", elem_classes="hnw-while-running"):
        with gr.Row():
            parts = {
                "save_now": gr.Button("Save now", size="sm", elem_id="hnw_train_save_now"),
                "pause": gr.Button("Pause", size="sm", elem_id="hnw_train_pause"),
                "go_on": gr.Button("Go on", size="sm", elem_id="hnw_train_go_on"),
                "board": gr.Button("TensorBoard", size="sm", elem_id="hnw_train_board"),
                "notify": gr.Button(
                    "Notify me at the end", size="sm", elem_id="hnw_train_notify", elem_classes="hnw-hidden"
                ),
            }
        with gr.Row(elem_classes="hnw-with-button", equal_height=False):
            prompt = gr.Textbox(
                "",
                label=_PROMPT.label,
                info=_PROMPT.help,
                min_width=FIELD_PX,
                scale=3,
                elem_id="hnw_train_now_prompt",
            )
            parts["preview_now"] = gr.Button("Preview now", size="sm", elem_id="hnw_train_preview_now")
    prompt.do_not_save_to_config = True
    return parts | {"now_prompt": prompt}


def connect(parts: dict[str, Any]) -> None:
    """Connect the row with the gallery and the status of the tab."""
    status, shown = parts["status"], [parts["preview"], parts["status"]]
    parts["save_now"].click(save_now, outputs=[status], **_QUICK)
    for event in (parts["preview_now"].click, parts["now_prompt"].submit):
        event(preview_now, [parts["now_prompt"]], shown, show_progress="hidden")
    parts["pause"].click(pause, outputs=[status], **_QUICK)
    parts["go_on"].click(go_on, outputs=[status], **_QUICK)
    parts["board"].click(show_board, outputs=[status], show_progress="hidden", queue=False)
    parts["notify"].click(None, None, [status], _js="hnwAllowNotifications", **_QUICK)


def save_now() -> str:
    """Save a copy of the active run; return a sentence."""
    path, problem = _made(training.save_now)
    return problem if path is None else done(f"Saved as {path.name} in {path.parent}.")


def preview_now(prompt: str) -> tuple[Any, str]:
    """Make a picture with the active run; return it and a sentence."""
    path, problem = _made(lambda: training.preview_now((prompt or "").strip()))
    if path is None:
        return gr.update(), problem
    return gr.update(value=[str(path)]), done(f"The preview is {path.name} in {path.parent}.")


def pause() -> str:
    """Let the active run stand aside; return a sentence."""
    if training.pause() is None:
        return refused([_NO_RUN])
    return done("The run pauses after this step. Press Go on to go on.")


def go_on() -> str:
    """Let the run go on; return a sentence."""
    return refused([_NO_RUN]) if training.go_on() is None else done("The run goes on.")


def show_board() -> str:
    """Show TensorBoard on the log of the active run; return where, or why not."""
    run = runs.active
    if run is None or run.job is None:
        return refused([_NO_RUN])
    output = run.job.output
    folder = Path(output.dir) if output.dir else folders.log_dir()
    return board_of(lambda: saved.chosen(str(folder / output.name))[0])


def board_of(find: Callable[[], RunRecord]) -> str:
    """Show TensorBoard on the log of a run; return where, or why not."""
    try:
        with report_unexpected():
            record = find()
            address = board.show(record)
    except WorkbenchError as error:
        return refused([f"{in_words(error)}."])
    return link(f"TensorBoard shows {record.name}, on the machine that the WebUI runs on, at", address)


def _made(make: Callable[[], Path]) -> tuple[Path | None, str]:
    try:
        with report_unexpected():
            return make(), ""
    except WorkbenchError as error:
        return None, refused([f"{in_words(error)}."])
