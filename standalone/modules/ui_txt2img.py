"""The txt2img tab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from modules import infotext_utils, scripts, sd_models, sd_models_config, sd_samplers, shared
from modules import txt2img as job
from modules.call_queue import wrap_gradio_gpu_call
from modules.processing import PX_PER_LATENT

Fields = dict[str, Any]
"""The tab's components by the names in txt2img.FIELDS."""

INFOTEXT_KEYS = {
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "steps": "Steps",
    "sampler_name": "Sampler",
    "scheduler": "Schedule type",
    "cfg_scale": "CFG scale",
    "seed": "Seed",
    "width": "Size-1",
    "height": "Size-2",
}
PREVIEW_FIELDS = ("prompt", "negative_prompt", "steps", "sampler_name", "cfg_scale", "seed", "width", "height")
"""What Train's tabs get, in the WebUI's order."""


@dataclass
class Defaults:
    """What the fields start with."""

    prompt: str = ""
    size_px: int = 512
    cfg_scale: float = 7.0


def defaults() -> Defaults:
    """Suited to the chosen checkpoint: the demo makes small pictures of shapes."""
    try:
        path = Path(sd_models.select_checkpoint().filename)
        beside = path.with_suffix(".yaml")
        params = sd_models_config.from_yaml(beside) if beside.is_file() else None
    except (FileNotFoundError, sd_models_config.CheckpointError):
        # Said when the model is loaded; the page has its usual defaults meanwhile.
        return Defaults()
    size = PX_PER_LATENT * int(params["unet_config"]["params"].get("image_size", 64)) if params else 512
    if path.name == sd_models.DEMO.name:
        return Defaults("a red circle on a white background", size, 4.0)
    return Defaults(size_px=size)


def _text(label: str, elem_id: str, placeholder: str, value: str = "") -> gr.Textbox:
    return gr.Textbox(
        value,
        label=label,
        placeholder=placeholder,
        elem_id=elem_id,
        elem_classes=["prompt"],
        show_label=False,
        lines=2,
    )


def _prompts(start: Defaults) -> Fields:
    hint = "Prompt (press Ctrl+Enter to generate)"
    return {
        "prompt": _text("Prompt", "txt2img_prompt", hint, start.prompt),
        "negative_prompt": _text("Negative prompt", "txt2img_neg_prompt", "Negative prompt"),
    }


def _settings(start: Defaults) -> Fields:
    with gr.Row():
        names = list(sd_samplers.all_samplers_map)
        sampler = gr.Dropdown(names, value="Euler a", label="Sampling method", elem_id="txt2img_sampling")
        kinds = sd_samplers.schedules
        scheduler = gr.Dropdown(kinds, value="Automatic", label="Schedule type", elem_id="txt2img_scheduler")
        steps = gr.Slider(1, 150, value=20, step=1, label="Sampling steps", elem_id="txt2img_steps")
    with gr.Row():
        width = gr.Slider(64, 2048, value=start.size_px, step=8, label="Width", elem_id="txt2img_width")
        count = gr.Slider(1, 64, value=1, step=1, label="Batch count", elem_id="txt2img_batch_count")
    with gr.Row():
        height = gr.Slider(64, 2048, value=start.size_px, step=8, label="Height", elem_id="txt2img_height")
        size = gr.Slider(1, 8, value=1, step=1, label="Batch size", elem_id="txt2img_batch_size")
    with gr.Row():
        cfg = gr.Slider(1, 30, value=start.cfg_scale, step=0.5, label="CFG scale", elem_id="txt2img_cfg_scale")
        seed = gr.Number(value=-1, label="Seed", info="-1: a new one each time", elem_id="txt2img_seed", precision=0)
    return {
        "steps": steps,
        "sampler_name": sampler,
        "scheduler": scheduler,
        "cfg_scale": cfg,
        "seed": seed,
        "width": width,
        "height": height,
        "n_iter": count,
        "batch_size": size,
    }


def _results() -> list[Any]:
    """The components that show what was made, as `txt2img.txt2img` returns it."""
    with gr.Column(variant="panel", elem_id="txt2img_results"):
        with gr.Group(elem_id="txt2img_gallery_container"):
            gallery = gr.Gallery(
                label="Output",
                show_label=False,
                elem_id="txt2img_gallery",
                columns=4,
                preview=True,
                height=480,
                object_fit="contain",
            )
        return [
            gallery,
            gr.Textbox(visible=False, elem_id="generation_info_txt2img"),
            gr.HTML(elem_id="html_info_txt2img", elem_classes="infotext"),
            gr.HTML(elem_id="html_log_txt2img", elem_classes="html-log"),
        ]


def create() -> tuple[gr.Blocks, Fields]:
    """Builds the tab; the scripts' controls are part of it."""
    runner = scripts.scripts_txt2img
    runner.initialize_scripts()
    start = defaults()
    with gr.Blocks(analytics_enabled=False) as interface:
        with gr.Row(elem_id="txt2img_toprow"):
            with gr.Column(scale=6):
                fields = _prompts(start)
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
            "fn": wrap_gradio_gpu_call(job.txt2img, extra_outputs=[gr.update(), gr.update(), gr.update()]),
            "_js": "submit",
            "inputs": [task, *(fields[name] for name in job.FIELDS), *script_inputs],
            "outputs": results,
            "show_progress": False,
        }
        generate.click(**call)
        fields["prompt"].submit(**call)
        interrupt.click(shared.state.interrupt, show_progress=False)
        pasted = [(fields[name], key) for name, key in INFOTEXT_KEYS.items()]
        infotext_utils.connect_paste(paste, pasted, fields["prompt"])
    return interface, fields
