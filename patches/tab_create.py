"""The tab Create Beta Hypernetwork."""

from __future__ import annotations

from typing import Any

import gradio as gr
from modules import shared

from ..hypernetworks.creation import create_file
from ..hypernetworks.errors import WorkbenchError
from ..hypernetworks.settings import CreateSettings
from . import host, initial
from .form import Form, done

_MAIN = ("name", "widths", "layer_structure", "activation", "weight_init")
_ADVANCED = ("init_std", "zero_last_layer", "layer_norm", "activate_output", "dropout_structure", "seed", "overwrite")


def build(_params: Any = None) -> None:
    """Builds the tab inside the host's Train tab."""
    start = initial.tables()
    values = {**start["network"], "name": start["output"].get("name", ""), "seed": start["train"].get("seed", 0)}
    form = Form("hnw_create")
    with gr.Tab("Create Beta Hypernetwork", elem_id="hnw_create_tab"), gr.Row():
        with gr.Column():
            form.add(CreateSettings, values, _MAIN)
            with gr.Accordion("More settings", open=False, elem_id="hnw_create_more"):
                form.add(CreateSettings, values, _ADVANCED)
        with gr.Column():
            button = gr.Button("Create hypernetwork", variant="primary", elem_id="hnw_create_button")
            status = gr.HTML(elem_id="hnw_create_status")

    def create(*entered: Any) -> str:
        try:
            settings = CreateSettings.from_mapping(form.values(entered))
            path = create_file(settings, host.model_widths(), host.network_dir())
        except WorkbenchError as error:
            return form.explain(error)
        shared.reload_hypernetworks()
        size_mb = path.stat().st_size / 1e6
        return done(f"Created {path.stem} ({size_mb:.1f} MB). Choose it in Train Gamma to train it.")

    button.click(create, inputs=form.components, outputs=[status])
