"""Components that extensions take from the host."""

from __future__ import annotations

from typing import Any

import gradio as gr


class ToolButton(gr.Button):
    """A small button that shows one symbol."""

    def __init__(self, value: str, **kwargs: Any) -> None:
        super().__init__(value, elem_classes="tool", **kwargs)

    def get_expected_parent(self) -> type[gr.components.Form]:
        """Return the form that neighbours share."""
        return gr.components.Form

    def get_block_name(self) -> str:
        """Return the name under which gradio's page knows a button."""
        return "button"


class ResizeHandleRow(gr.Row):
    """A row of two columns with a handle between them, which the page's script makes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.elem_classes.append("resize-handle-row")

    def get_block_name(self) -> str:
        """Return the name under which gradio's page knows a row."""
        return "row"
