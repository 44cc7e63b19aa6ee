"""The page: txt2img, Train, Settings and what extensions add."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import gradio as gr

from modules import gradio_classes, paths, script_callbacks, sd_models, ui_settings, ui_txt2img
from modules.ui_components import ResizeHandleRow
from modules.ui_gradio_extensions import reload_javascript, theme


def _create_train(preview_params: list[Any]) -> gr.Blocks:
    """Return the Train tab in the WebUI's frame: the tabs of extensions left, what jobs give right."""
    with gr.Blocks(analytics_enabled=False) as interface, ResizeHandleRow(variant="compact", equal_height=False):
        with gr.Tabs(elem_id="train_tabs"):
            script_callbacks.ui_train_tabs_callback(script_callbacks.UiTrainTabParams(preview_params))
        with gr.Column(elem_id="ti_gallery_container"):
            gr.Text(elem_id="ti_output", value="", show_label=False)
            gr.Gallery(label="Output", show_label=False, elem_id="ti_gallery", columns=4)
            gr.HTML(elem_id="ti_progress", value="")
            gr.HTML(elem_id="ti_error", value="")
    return interface


def create_ui() -> gr.Blocks:
    """Build the page and call the extensions in the WebUI's order."""
    reload_javascript()
    gradio_classes.add()
    warnings.filterwarnings("ignore", category=gr.deprecation.GradioDeprecationWarning)
    txt2img, fields = ui_txt2img.create()
    train = _create_train([fields[name] for name in ui_txt2img.PREVIEW_FIELDS])
    settings = ui_settings.create()
    own = [(txt2img, "txt2img", "txt2img"), (train, "Train", "train")]
    tabs = [*own, *script_callbacks.ui_tabs_callback(), (settings, "Settings", "settings")]
    with gr.Blocks(theme=theme(), analytics_enabled=False, title="Hypernetwork Workbench") as demo:
        with gr.Tabs(elem_id="tabs"):
            for interface, title, name in tabs:
                with gr.TabItem(title, id=name, elem_id=f"tab_{name}"):
                    interface.render()
        gr.HTML(lambda: f"<span>Checkpoint</span>: {_checkpoint()}", elem_id="footer")
        _notification()
    return demo


def _notification() -> None:
    """Add the sound in the data folder, if there is one, as the WebUI does with the one in its own folder."""
    path = Path(paths.data_path, "notification.mp3")
    if path.is_file():
        gr.Audio(interactive=False, value=str(path), elem_id="audio_notification", visible=False)


def _checkpoint() -> str:
    try:
        return sd_models.select_checkpoint().name
    except FileNotFoundError as error:
        return str(error)
