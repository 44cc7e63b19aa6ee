"""The page: txt2img, Train, Settings and what extensions add."""

from __future__ import annotations

import warnings
from typing import Any

import gradio as gr

from modules import script_callbacks, scripts, sd_models, shared, ui_settings, ui_txt2img
from modules.call_queue import wrap_gradio_call, wrap_gradio_gpu_call, wrap_queued_call
from modules.ui_common import create_refresh_button, plaintext_to_html
from modules.ui_gradio_extensions import reload_javascript, theme

__all__ = [
    "create_refresh_button",
    "create_ui",
    "gr_show",
    "plaintext_to_html",
    "wrap_gradio_call",
    "wrap_gradio_gpu_call",
    "wrap_queued_call",
]


def gr_show(visible: bool = True) -> dict[str, Any]:
    """An update that shows or hides a component."""
    return {"visible": visible, "__type__": "update"}


def _create_train(preview_params: list[Any]) -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as interface:
        with gr.Tabs(elem_id="train_tabs"):
            script_callbacks.ui_train_tabs_callback(script_callbacks.UiTrainTabParams(preview_params))
        with gr.Column(elem_id="ti_gallery_container"):
            gr.Text(elem_id="ti_output", value="", show_label=False)
            gr.Gallery(label="Output", show_label=False, elem_id="ti_gallery", columns=4)
            gr.HTML(elem_id="ti_progress", value="")
            gr.HTML(elem_id="ti_error", value="")
    return interface


def create_ui() -> gr.Blocks:
    """Builds the page and calls the extensions in the WebUI's order."""
    reload_javascript()
    warnings.filterwarnings("ignore", category=gr.deprecation.GradioDeprecationWarning)
    txt2img, inputs = ui_txt2img.create()
    scripts.scripts_img2img.initialize_scripts(is_img2img=True)
    train = _create_train(inputs.preview_params())
    settings = ui_settings.create()
    own = [(txt2img, "txt2img", "txt2img"), (train, "Train", "train")]
    tabs = [*own, *script_callbacks.ui_tabs_callback(), (settings, "Settings", "settings")]
    shared.tab_names = [title for _, title, _ in tabs]
    with gr.Blocks(theme=theme(), analytics_enabled=False, title="Hypernetwork Workbench") as demo:
        with gr.Tabs(elem_id="tabs"):
            for interface, title, name in tabs:
                with gr.TabItem(title, id=name, elem_id=f"tab_{name}"):
                    interface.render()
        gr.HTML(lambda: f"Checkpoint: {_checkpoint()}", elem_id="footer")
    return demo


def _checkpoint() -> str:
    try:
        return sd_models.select_checkpoint().name
    except FileNotFoundError as error:
        return str(error)
