"""The head of a long form: its contents, a search over its settings, and the way back to what a field started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from ...hypernetworks.pages import form as pages
from .form import Form
from .frame import of_inputs

_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


class Head:
    """The components above a form; made first, and filled in when the form has its fields."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._contents = gr.HTML(elem_id=f"{form.prefix}_contents")
        #: Tells the page's script which fields are not as they started.
        self.marks = gr.HTML(elem_id=f"{form.prefix}_changed", elem_classes="hnw-hidden")
        self._which = gr.Textbox(visible=False)
        # Pressed by the page's script, which gives the id of the field.
        self._reset = gr.Button("Back to the start value", elem_id=f"{form.prefix}_reset", elem_classes="hnw-hidden")

    def fill(self) -> None:
        """Fill in the contents; to be called when the form is complete."""
        words = [
            (field.component.elem_id, f"{field.option.label} {field.option.help} {field.address}")
            for field in self._form.fields
        ]
        self._contents.value = pages.contents(self._form.folds, words)

    def update(self, values: Mapping[str, Any]) -> str:
        """Return what `marks` shows for these values."""
        return pages.changed([field.component.elem_id for field in self._form.changed(values)])

    def connect(self, fill: Callable[..., list[Any]], inputs: Sequence[Any], filled: Sequence[Any]) -> Any:
        """Let a field have again what it started with; return the event.

        Args:
            fill: takes new values by address and those of `inputs`; returns the updates of `filled`.
        """

        def reset(id_: str, *given: Any) -> list[Any]:
            changes = {field.address: field.default for field in self._form.fields if field.component.elem_id == id_}
            return fill(changes, given)

        given = [self._which, *inputs]
        return self._reset.click(reset, given, list(filled), _js=of_inputs("hnwResetField", given), **_QUICK)
