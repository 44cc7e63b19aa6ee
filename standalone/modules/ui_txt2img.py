"""The txt2img tab."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from modules import images, infotext_utils, processing, scripts, sd_models, sd_models_config, sd_samplers, shared
from modules.call_queue import wrap_gradio_gpu_call

Fields = dict[str, Any]
"""The tab's components by the names of a job's settings."""

FIELDS = {
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "steps": "Steps",
    "sampler_name": "Sampler",
    "scheduler": "Schedule type",
    "cfg_scale": "CFG scale",
    "seed": "Seed",
    "width": "Size-1",
    "height": "Size-2",
    "n_iter": "",
    "batch_size": "",
    "override_settings": "",
}
"""A job's settings in the order of `txt2img`, with their keys in an infotext."""
PREVIEW_FIELDS = ("prompt", "negative_prompt", "steps", "sampler_name", "cfg_scale", "seed", "width", "height")
"""What Train's tabs get, in the WebUI's order."""


@dataclass
class Defaults:
    """The initial values of the fields."""

    prompt: str = ""
    size_px: int = 512
    cfg_scale: float = 7.0


def defaults() -> Defaults:
    """Return initial values suited to the chosen checkpoint: the demo makes small pictures of shapes."""
    try:
        path = Path(sd_models.select_checkpoint().filename)
        size = sd_models_config.usual_px(path)
    except (FileNotFoundError, sd_models_config.CheckpointError):
        # Reported when the model is loaded; until then the page has its usual defaults.
        return Defaults()
    if path.name == sd_models.DEMO.name:
        return Defaults("a red circle on a white background", size, 4.0)
    return Defaults(size_px=size)


def txt2img(id_task: str, *args: Any) -> tuple[list[Any], str, str]:
    """Generate; return pictures, their infotext and notes as HTML. `args` are FIELDS, then the scripts' values.

    Raises:
        SettingsError: a field has a value that it cannot have.
    """
    shared.state.textinfo = "Loading the checkpoint"
    settings = dict(zip(FIELDS, args, strict=False))
    settings["override_settings"] = infotext_utils.create_override_settings_dict(settings["override_settings"] or [])
    p = processing.StableDiffusionProcessingTxt2Img(sd_model=shared.sd_model, **settings)
    shared.state.textinfo = None
    p.scripts, p.script_args = scripts.scripts_txt2img, list(args[len(FIELDS) :])
    try:
        processed = processing.process_images(p)
    finally:
        p.close()
    # A saved picture is shown from its file, which carries the infotext.
    pictures = [getattr(image, "already_saved_as", image) for image in processed.images]
    infotext = html.escape(processed.info).replace("\n", "<br>\n")
    lines = "<br>".join(map(html.escape, processed.comments.splitlines()))
    notes = f"<p class='comments'>{lines}</p>" if lines else ""
    return pictures, f"<p>{infotext}</p>", notes


def _prompts(start: Defaults) -> Fields:
    common: dict[str, Any] = {"show_label": False, "lines": 2, "elem_classes": ["prompt"]}
    hint = "Prompt (press Ctrl+Enter to generate)"
    negative = "Negative prompt"
    return {
        "prompt": gr.Textbox(start.prompt, label="Prompt", placeholder=hint, elem_id="txt2img_prompt", **common),
        "negative_prompt": gr.Textbox(label=negative, placeholder=negative, elem_id="txt2img_neg_prompt", **common),
    }


def _slider(name: str, label: str, values: tuple[float, float, float, float]) -> Any:
    """Return a slider; `values` are minimum, maximum, initial value and step."""
    low, high, value, step = values
    return gr.Slider(low, high, value=value, step=step, label=label, elem_id=f"txt2img_{name}")


def _settings(start: Defaults) -> Fields:
    fields: Fields = {}
    samplers, schedules = list(sd_samplers.all_samplers_map), sd_samplers.schedules
    with gr.Row():
        fields["sampler_name"] = gr.Dropdown(
            samplers, value="Euler a", label="Sampling method", elem_id="txt2img_sampling"
        )
        fields["scheduler"] = gr.Dropdown(
            schedules, value="Automatic", label="Schedule type", elem_id="txt2img_scheduler"
        )
        fields["steps"] = _slider("steps", "Sampling steps", (1, 150, 20, 1))
    with gr.Row():
        fields["width"] = _slider("width", "Width", (64, 2048, start.size_px, 8))
        fields["n_iter"] = _slider("batch_count", "Batch count", (1, 64, 1, 1))
    with gr.Row():
        fields["height"] = _slider("height", "Height", (64, 2048, start.size_px, 8))
        fields["batch_size"] = _slider("batch_size", "Batch size", (1, 8, 1, 1))
    with gr.Row():
        fields["cfg_scale"] = _slider("cfg_scale", "CFG scale", (1, 30, start.cfg_scale, 0.5))
        hint = "-1: a new one each time"
        fields["seed"] = gr.Number(-1, label="Seed", info=hint, elem_id="txt2img_seed", precision=0)
    overrides = gr.Dropdown(
        [], multiselect=True, label="Override settings", elem_id="txt2img_override_settings", visible=False
    )
    overrides.change(lambda chosen: gr.update(visible=bool(chosen)), [overrides], [overrides], show_progress=False)
    fields["override_settings"] = overrides
    return fields


def _results() -> list[Any]:
    """Return the components that show what `txt2img` gives."""
    with gr.Column(variant="panel", elem_id="txt2img_results"):
        look: dict[str, Any] = {"columns": 4, "preview": True, "height": 480, "object_fit": "contain"}
        with gr.Group(elem_id="txt2img_gallery_container"):
            gallery = gr.Gallery(label="Output", show_label=False, elem_id="txt2img_gallery", **look)
        infotext = gr.HTML(elem_id="html_info_txt2img", elem_classes="infotext")
        return [gallery, infotext, gr.HTML(elem_id="html_log_txt2img", elem_classes="html-log")]


def create() -> tuple[gr.Blocks, Fields]:
    """Build the tab; the scripts' controls are part of it."""
    runner = scripts.scripts_txt2img
    runner.initialize_scripts()
    start = defaults()
    with gr.Blocks(analytics_enabled=False) as interface:
        with gr.Row(elem_id="txt2img_toprow"):
            with gr.Column(scale=6):
                fields = _prompts(start)
                dropped = gr.File(elem_id="txt2img_prompt_image", type="binary", visible=False)
            with gr.Column(scale=1, elem_id="txt2img_actions_column"):
                generate = gr.Button("Generate", elem_id="txt2img_generate", variant="primary")
                interrupt = gr.Button("Interrupt", elem_id="txt2img_interrupt")
                paste = gr.Button("Read infotext", elem_id="paste")
        with gr.Row():
            with gr.Column(elem_id="txt2img_settings"):
                fields |= _settings(start)
                with gr.Group(elem_id="txt2img_script_container"):
                    script_inputs = runner.setup_ui()
            results = _results()
        task = gr.Textbox(visible=False)
        call = {
            "fn": wrap_gradio_gpu_call(txt2img, extra_outputs=[gr.update(), gr.update()]),
            "_js": "submit",
            "inputs": [task, *(fields[name] for name in FIELDS), *script_inputs],
            "outputs": results,
            "show_progress": False,
        }
        generate.click(**call)
        fields["prompt"].submit(**call)
        interrupt.click(shared.state.interrupt, show_progress=False)
        dropped.change(images.image_data, [dropped], [fields["prompt"], dropped], show_progress=False)
        pasted: list[tuple[Any, Any]] = [(fields[name], key) for name, key in FIELDS.items() if key]
        pasted.append((fields["override_settings"], infotext_utils.override_settings))
        infotext_utils.connect_paste(paste, [*pasted, *runner.infotext_fields], fields["prompt"])
    return interface, fields
