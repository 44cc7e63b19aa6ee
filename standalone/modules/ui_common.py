"""Pieces of the page that the settings and extensions use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from modules.ui_components import ToolButton


def create_refresh_button(component: Any, refresh: Callable[[], Any], arguments: Any, elem_id: str) -> ToolButton:
    """Return a button that reads a list again: it calls `refresh`, then updates the component with the new arguments.

    Args:
        component: one, or a list of several.
    """
    components = component if isinstance(component, list) else [component]

    def update() -> Any:
        refresh()
        changes = gr.update(**(arguments() if callable(arguments) else arguments))
        return [changes] * len(components) if len(components) > 1 else changes

    button = ToolButton("\u21bb", elem_id=elem_id)
    button.click(update, outputs=components, show_progress=False)
    return button
