"""Pieces of the page that several tabs use."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules.ui_components import ToolButton

refresh_symbol = "\u21bb"


def plaintext_to_html(text: str, classname: str | None = None) -> str:
    """Text as HTML that shows it as it is."""
    lines = "<br>\n".join(html.escape(line) for line in text.split("\n"))
    return f"<p class='{classname}'>{lines}</p>" if classname else f"<p>{lines}</p>"


def create_refresh_button(
    refresh_component: Any, refresh_method: Callable[[], Any], refreshed_args: Any, elem_id: str
) -> ToolButton:
    """A button that reads a list again: calls the method, then updates the component with the given arguments."""
    components = refresh_component if isinstance(refresh_component, list) else [refresh_component]

    def refresh() -> Any:
        refresh_method()
        args = refreshed_args() if callable(refreshed_args) else refreshed_args
        updates = [gr.update(**(args or {})) for _ in components]
        return updates if len(updates) > 1 else updates[0]

    button = ToolButton(value=refresh_symbol, elem_id=elem_id)
    button.click(refresh, inputs=[], outputs=components, show_progress=False)
    return button


@dataclass
class OutputPanel:
    """Where a tab shows what it made."""

    gallery: Any
    generation_info: Any
    infotext: Any
    html_log: Any


def create_output_panel(tabname: str, outdir: str | None = None) -> OutputPanel:
    """The gallery with the infotext below it."""
    with gr.Column(variant="panel", elem_id=f"{tabname}_results"):
        with gr.Group(elem_id=f"{tabname}_gallery_container"):
            gallery = gr.Gallery(
                label="Output",
                show_label=False,
                elem_id=f"{tabname}_gallery",
                columns=4,
                preview=True,
                height=480,
                object_fit="contain",
            )
        return OutputPanel(
            gallery=gallery,
            generation_info=gr.Textbox(visible=False, elem_id=f"generation_info_{tabname}"),
            infotext=gr.HTML(elem_id=f"html_info_{tabname}", elem_classes="infotext"),
            html_log=gr.HTML(elem_id=f"html_log_{tabname}", elem_classes="html-log"),
        )
