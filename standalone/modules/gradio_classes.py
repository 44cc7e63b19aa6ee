"""Classes that name the kind of each component, as in the WebUI: `gradio-button`, `gradio-row`."""

from __future__ import annotations

import functools
from typing import Any

import gradio as gr


def add() -> None:
    """Let every component and every row, column or tab that is made from now on have its class."""
    for kind in (gr.components.IOComponent, gr.blocks.BlockContext):
        if not hasattr(kind.__init__, "__wrapped__"):
            kind.__init__ = _with_class(kind.__init__)


def _with_class(init: Any) -> Any:
    @functools.wraps(init)
    def named(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self.elem_classes = [f"gradio-{self.get_block_name()}", *(self.elem_classes or [])]

    return named
