"""The frame of our tabs: the fields of a form, and beside them a panel with what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

#: Least width of a field with the space around it, which leaves 240 px to enter something; rows are broken for it.
FIELD_PX = 266
_COLUMN_PX = 320


def frame() -> Any:
    """Return the block in which a form and a panel stand side by side, or one below the other on a narrow page."""
    return gr.Row(elem_classes="hnw-frame", equal_height=False)


def form_column(id_: str, scale: int = 1) -> Any:
    """Return the block for the form of a frame."""
    return gr.Column(scale=scale, min_width=_COLUMN_PX, elem_id=f"{id_}_fields", elem_classes="hnw-form")


def panel_column(id_: str, scale: int = 1, is_sticky: bool = False) -> Any:
    """Return the block for the panel of a frame.

    Args:
        is_sticky: whether it stays in sight while the form is scrolled, and is above the form on a narrow page. Of any
            other, and on a narrow page, `controls` alone stays in sight.
    """
    classes = ["hnw-panel", "hnw-sticky"] if is_sticky else ["hnw-panel"]
    return gr.Column(scale=scale, min_width=_COLUMN_PX, elem_id=f"{id_}_panel", elem_classes=classes)


def controls(id_: str) -> Any:
    """Return the block for the buttons of a panel, their progress and answer, which stays in sight."""
    return gr.Column(elem_id=f"{id_}_controls", elem_classes="hnw-controls")


def progress_place(id_: str) -> None:
    """Make the place for the host's progress bar, which covers what is above it elsewhere."""
    with gr.Column(elem_classes="hnw-progress"):
        gr.HTML(elem_id=f"{id_}_progress")


def of_inputs(function: str, inputs: Sequence[Any]) -> str:
    """Return a function of the page that answers with no more values than there are inputs.

    gradio hands the outputs over too. Newer versions put nothing in place of a state in `inputs` where the answer is
    longer, and all values behind it would be those of their neighbours.

    Args:
        function: its name, or its text.
    """
    return f"(...given) => ({function})(...given.slice(0, {len(inputs)}))"


def wipe_on(buttons: list[Any], messages: list[Any]) -> None:
    """Empty the messages in the page as soon as one of the buttons is pressed: they are of what was pressed before."""
    empty = ", ".join(["''"] * len(messages))
    for button in buttons:
        button.click(None, None, messages, _js=f"() => [{empty}]", queue=False, show_progress="hidden")
