"""What the page's script presses for jobs that wait for a run: to let one in, or to take one back."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..runs import tasks, training
from ..runs.turns import turns

_HOST_INTERRUPT = "train_interrupt_training"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


def make() -> None:
    """Make the buttons, out of sight; the script gives them the ids of tasks, several as lines."""
    ids = gr.Textbox(visible=False)
    ids.do_not_save_to_config = True
    for name, text, act in (
        ("let_in", "Let the waiting job in", turns.let_in),
        ("give_up", "Take the waiting job back", tasks.interrupt),
    ):
        button = gr.Button(text, elem_id=f"hnw_waiting_{name}", elem_classes="hnw-hidden")
        button.click(_for_each(act), [ids], _js="hnwWaitingTasks", **_QUICK)


def _for_each(act: Any) -> Any:
    def handle(ids: str) -> None:
        for task in (ids or "").splitlines():
            act(task)

    return handle


def connect_host_interrupt(component: Any, **named: Any) -> None:
    """Let Interrupt in the host's own tab Train, whose button runs this trainer, end a run."""
    if named.get("elem_id") == _HOST_INTERRUPT:
        component.click(_end_run, **_QUICK)


def _end_run() -> None:
    training.interrupt()
