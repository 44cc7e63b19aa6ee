"""The tab Train Gamma."""

from __future__ import annotations

from typing import Any

import gradio as gr
from modules import call_queue, shared

from ..hypernetworks.errors import SettingsError, WorkbenchError
from ..hypernetworks.options import Option
from ..hypernetworks.settings import (
    DataSettings,
    Job,
    LossSettings,
    OptimizerSettings,
    OutputSettings,
    PreviewSettings,
    ScheduleSettings,
    TrainSettings,
)
from ..hypernetworks.train.run import TrainResult
from . import initial
from .form import Form, done
from .training import run_job

_NETWORK = Option("Network to train", "Made in Create Beta Hypernetwork, or any other of the folder.")
_SAVE_AS = Option(
    "Save as", "Name of the trained network. Empty: the chosen one is replaced when the run has ended well."
)


def build(_params: Any = None) -> None:
    """Builds the tab inside the host's Train tab."""
    form = Form("hnw_train")
    with gr.Tab("Train Gamma", elem_id="hnw_train_tab"), gr.Row():
        with gr.Column():
            _inputs(form, initial.tables())
        with gr.Column():
            with gr.Row():
                button = gr.Button("Train hypernetwork", variant="primary", elem_id="hnw_train_button")
                interrupt = gr.Button("Interrupt", elem_id="hnw_train_interrupt")
            gr.HTML(elem_id="hnw_train_progress")
            status = gr.HTML(elem_id="hnw_train_status")
            preview = gr.Gallery(
                label="Previews and result",
                show_label=False,
                columns=4,
                preview=True,
                object_fit="contain",
                elem_id="hnw_train_preview",
            )
            task = gr.Textbox(visible=False)

    def train(_task: str, *entered: Any) -> tuple[Any, str]:
        try:
            result = run_job(job_from(form.values(entered)))
        except WorkbenchError as error:
            return gr.update(), form.explain(error)
        pictures = [str(path) for path in (result.sheet, *reversed(result.previews)) if path]
        return gr.update(value=pictures), done(summary(result))

    button.click(
        call_queue.wrap_gradio_gpu_call(train, extra_outputs=[gr.update()]),
        _js="hnwStartTraining",
        inputs=[task, *form.components],
        outputs=[preview, status],
        show_progress="hidden",
    )
    interrupt.click(shared.state.interrupt)


def job_from(tables: dict[str, Any]) -> Job:
    """The job of what was entered: the chosen network goes on, and is replaced unless another name is given.

    Raises:
        SettingsError: names the field.
    """
    name = tables["network"]["file"]
    path = shared.hypernetworks.get(name)
    if path is None:
        reason = f"there is no network {name}; press Refresh list" if name else "choose a network; create one first"
        raise SettingsError("network.file", reason)
    tables["network"]["file"] = path
    output = tables["output"]
    output["name"] = output["name"].strip() or name
    output["overwrite"] = output["overwrite"] or output["name"] == name
    return Job.from_mapping(tables)


def summary(result: TrainResult) -> str:
    """One sentence about a run that ended well."""
    ended = "Stopped by hand after" if result.interrupted else "Trained"
    return (
        f"{ended} {result.steps} steps in {result.seconds:.0f} s; loss {result.loss_first:.4f} at first, "
        f"{result.loss_last:.4f} at last. Saved as {result.network.name}; log and pictures are in {result.log.parent}."
    )


def _inputs(form: Form, start: dict[str, dict[str, Any]]) -> None:
    _network_row(form, start["output"].get("name", ""))
    form.add(DataSettings, start["data"], ("folder",), "data")
    with gr.Row():
        form.add(DataSettings, start["data"], ("width", "height", "batch_size"), "data")
    with gr.Row():
        form.add(ScheduleSettings, start["schedule"], ("rate", "kind"), "schedule")
        form.add(TrainSettings, start["train"], ("max_steps",), "train")
    with gr.Row():
        form.add(PreviewSettings, start["preview"], ("every", "prompt"), "preview")
    with gr.Accordion("Captions", open=False, elem_id="hnw_train_captions"):
        form.add(DataSettings, start["data"], ("template", "caption_dropout"), "data")
    with gr.Accordion("Cosine schedule", open=False, elem_id="hnw_train_cosine"):
        form.add(
            ScheduleSettings, start["schedule"], ("cycle", "multiplier", "min_rate", "warmup", "decay"), "schedule"
        )
    with gr.Accordion("Optimizer and loss", open=False, elem_id="hnw_train_optimizer"):
        form.add(TrainSettings, start["train"], ("gradient_accumulation", "seed"), "train")
        form.add(OptimizerSettings, start["optimizer"], (), "optimizer")
        form.add(LossSettings, start["loss"], (), "loss")
    with gr.Accordion("Previews", open=False, elem_id="hnw_train_previews"):
        names = ("negative_prompt", "preview_seed", "sampler", "sampling_steps", "cfg_scale")
        form.add(PreviewSettings, start["preview"], names, "preview")
    with gr.Accordion("Output", open=False, elem_id="hnw_train_output"):
        save_as = gr.Textbox(label=_SAVE_AS.label, info=_SAVE_AS.help, elem_id="hnw_train_output_name")
        form.add_component("output", "name", _SAVE_AS, save_as)
        form.add(OutputSettings, start["output"], ("dir", "overwrite", "sheet"), "output")


def _network_row(form: Form, wanted: str) -> None:
    def refreshed() -> Any:
        shared.reload_hypernetworks()
        return gr.update(choices=list(shared.hypernetworks))

    with gr.Row():
        # A name that is not in the list yet stays allowed: the demo's network is named before it is made.
        chosen = gr.Dropdown(
            list(shared.hypernetworks),
            value=wanted or None,
            label=_NETWORK.label,
            info=_NETWORK.help,
            allow_custom_value=True,
            elem_id="hnw_train_network_file",
            scale=4,
        )
        form.add_component("network", "file", _NETWORK, chosen)
        refresh = gr.Button("Refresh list", elem_id="hnw_train_refresh", scale=1)
    refresh.click(refreshed, outputs=[chosen], show_progress="hidden")
