"""The txt2img tab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from modules import (
    infotext_utils,
    script_callbacks,
    scripts,
    sd_models,
    sd_models_config,
    sd_samplers,
    sd_schedulers,
    shared,
)
from modules import txt2img as job
from modules.call_queue import wrap_gradio_gpu_call
from modules.ui_common import create_output_panel

PX_PER_LATENT = 8


@dataclass
class Defaults:
    """What the fields start with."""

    prompt: str = ""
    size_px: int = 512
    cfg_scale: float = 7.0
    steps: int = 20


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


@dataclass
class Inputs:
    """The tab's components, in the order of txt2img.FIELDS."""

    prompt: Any
    negative_prompt: Any
    steps: Any
    sampler: Any
    scheduler: Any
    cfg_scale: Any
    seed: Any
    width: Any
    height: Any
    batch_count: Any
    batch_size: Any

    def all(self) -> list[Any]:
        """The components in order."""
        return list(vars(self).values())

    def preview_params(self) -> list[Any]:
        """The eight components that Train's tabs get, in the WebUI's order."""
        own = (self.prompt, self.negative_prompt, self.steps, self.sampler, self.cfg_scale, self.seed)
        return [*own, self.width, self.height]


def _prompts(start: Defaults) -> tuple[Any, Any]:
    prompt = gr.Textbox(
        label="Prompt",
        value=start.prompt,
        elem_id="txt2img_prompt",
        show_label=False,
        lines=2,
        placeholder="Prompt (press Ctrl+Enter to generate)",
        elem_classes=["prompt"],
    )
    negative = gr.Textbox(
        label="Negative prompt",
        elem_id="txt2img_neg_prompt",
        show_label=False,
        lines=2,
        placeholder="Negative prompt",
        elem_classes=["prompt"],
    )
    return prompt, negative


def _fields(start: Defaults, prompt: Any, negative: Any) -> Inputs:
    with gr.Row():
        names = sd_samplers.visible_sampler_names()
        sampler = gr.Dropdown(names, value="Euler a", label="Sampling method", elem_id="txt2img_sampling")
        kinds = sd_schedulers.names
        scheduler = gr.Dropdown(kinds, value="Automatic", label="Schedule type", elem_id="txt2img_scheduler")
        steps = gr.Slider(1, 150, value=start.steps, step=1, label="Sampling steps", elem_id="txt2img_steps")
    with gr.Row():
        width = gr.Slider(64, 2048, value=start.size_px, step=8, label="Width", elem_id="txt2img_width")
        count = gr.Slider(1, 64, value=1, step=1, label="Batch count", elem_id="txt2img_batch_count")
    with gr.Row():
        height = gr.Slider(64, 2048, value=start.size_px, step=8, label="Height", elem_id="txt2img_height")
        size = gr.Slider(1, 8, value=1, step=1, label="Batch size", elem_id="txt2img_batch_size")
    with gr.Row():
        cfg = gr.Slider(1, 30, value=start.cfg_scale, step=0.5, label="CFG scale", elem_id="txt2img_cfg_scale")
        seed = gr.Number(value=-1, label="Seed", info="-1: a new one each time", elem_id="txt2img_seed", precision=0)
    return Inputs(prompt, negative, steps, sampler, scheduler, cfg, seed, width, height, count, size)


def _paste_fields(inputs: Inputs, runner: scripts.ScriptRunner) -> list[Any]:
    names = {
        "Prompt": inputs.prompt,
        "Negative prompt": inputs.negative_prompt,
        "Steps": inputs.steps,
        "Sampler": inputs.sampler,
        "Schedule type": inputs.scheduler,
        "CFG scale": inputs.cfg_scale,
        "Seed": inputs.seed,
        "Size-1": inputs.width,
        "Size-2": inputs.height,
    }
    return [(component, key) for key, component in names.items()] + runner.infotext_fields


def create() -> tuple[gr.Blocks, Inputs]:
    """Builds the tab; the scripts' controls are part of it."""
    runner = scripts.scripts_txt2img
    runner.initialize_scripts(is_img2img=False)
    start = defaults()
    with gr.Blocks(analytics_enabled=False) as interface:
        with gr.Row(elem_id="txt2img_toprow"):
            with gr.Column(scale=6):
                prompt, negative = _prompts(start)
            with gr.Column(scale=1, elem_id="txt2img_actions_column"):
                generate = gr.Button("Generate", elem_id="txt2img_generate", variant="primary")
                interrupt = gr.Button("Interrupt", elem_id="txt2img_interrupt")
                paste = gr.Button("Read infotext", elem_id="paste")
        with gr.Row():
            with gr.Column(elem_id="txt2img_settings"):
                inputs = _fields(start, prompt, negative)
                with gr.Group(elem_id="txt2img_script_container"):
                    script_inputs = runner.setup_ui()
            panel = create_output_panel("txt2img")
        task = gr.Textbox(visible=False)
        call = {
            "fn": wrap_gradio_gpu_call(job.txt2img, extra_outputs=[gr.update(), gr.update(), gr.update()]),
            "_js": "submit",
            "inputs": [task, *inputs.all(), *script_inputs],
            "outputs": [panel.gallery, panel.generation_info, panel.infotext, panel.html_log],
            "show_progress": False,
        }
        generate.click(**call)
        prompt.submit(**call)
        interrupt.click(shared.state.interrupt, show_progress=False)
        infotext_utils.connect_paste(paste, _paste_fields(inputs, runner), prompt)
    for component in list(interface.blocks.values()):
        if getattr(component, "elem_id", None):
            label = getattr(component, "label", None)
            script_callbacks.after_component_callback(component, elem_id=component.elem_id, label=label)
    return interface, inputs
