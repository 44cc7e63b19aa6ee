"""Components that extensions take from the host."""

from __future__ import annotations

from typing import Any

import gradio as gr


class FormComponent:
    """Marks a component that gradio may place in a form."""

    def get_expected_parent(self) -> type[gr.components.Form]:
        """The form that neighbours share."""
        return gr.components.Form


gr.Dropdown.get_expected_parent = FormComponent.get_expected_parent


class ToolButton(FormComponent, gr.Button):
    """A small button that shows one sign."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        classes = kwargs.pop("elem_classes", [])
        super().__init__(*args, elem_classes=["tool", *([classes] if isinstance(classes, str) else classes)], **kwargs)

    def get_block_name(self) -> str:
        """For gradio's page it is a button."""
        return "button"


class FormRow(FormComponent, gr.Row):
    """A row inside a form."""

    def get_block_name(self) -> str:
        """For gradio's page it is a row."""
        return "row"


class FormColumn(FormComponent, gr.Column):
    """A column inside a form."""

    def get_block_name(self) -> str:
        """For gradio's page it is a column."""
        return "column"


class FormGroup(FormComponent, gr.Group):
    """A group inside a form."""

    def get_block_name(self) -> str:
        """For gradio's page it is a group."""
        return "group"


class FormHTML(FormComponent, gr.HTML):
    """HTML inside a form."""

    def get_block_name(self) -> str:
        """For gradio's page it is HTML."""
        return "html"
