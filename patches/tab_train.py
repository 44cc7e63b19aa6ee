"""The tab Train Gamma."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from modules import call_queue, shared

from ..hypernetworks.errors import SettingsError, WorkbenchError
from ..hypernetworks.settings import Job
from ..hypernetworks.train.run import TrainResult
from . import initial, train_form
from .form import Form, done
from .training import check_job, find_rate_for, run_job

#: What the last run ended with, for a page that was closed meanwhile.
_last_answer: list[Any] = [gr.update(), ""]


def build(_params: Any = None) -> None:
    """Builds the tab inside the host's Train tab."""
    form = Form("hnw_train")
    with gr.Tab("Train Gamma", elem_id="hnw_train_tab"), gr.Row():
        with gr.Column():
            train_form.inputs(form, initial.tables())
        with gr.Column():
            with gr.Row():
                train = gr.Button("Train hypernetwork", variant="primary", elem_id="hnw_train_button")
                resume = gr.Button("Continue", elem_id="hnw_train_continue")
                interrupt = gr.Button("Interrupt", elem_id="hnw_train_interrupt")
            with gr.Row():
                check = gr.Button("Check", elem_id="hnw_train_check")
                find = gr.Button("Find a rate", elem_id="hnw_train_find_rate")
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
            # Pressed by the page's script when a page is reopened after the run that it shows has ended.
            last = gr.Button("Show the last run", elem_id="hnw_train_last", elem_classes="hnw-hidden")

    outputs = [preview, status]
    for button, action in ((train, _train), (resume, _continue), (check, _check), (find, _find_rate)):
        button.click(
            call_queue.wrap_gradio_gpu_call(_answering(form, action), extra_outputs=[gr.update()]),
            _js="hnwStartTraining",
            inputs=[task, *form.components],
            outputs=outputs,
            show_progress="hidden",
        )
    interrupt.click(shared.state.interrupt)
    last.click(lambda: _last_answer, outputs=outputs, show_progress="hidden")


def _answering(form: Form, action: Callable[[Job], tuple[Any, str]]) -> Callable[..., tuple[Any, str]]:
    """The handler of a button: `action` on the job of the form, its errors as sentences that name the fields."""

    def handler(_task: str, *entered: Any) -> tuple[Any, str]:
        try:
            answer = action(job_from(form.values(entered)))
        except WorkbenchError as error:
            answer = gr.update(), form.explain(error)
        _last_answer[:] = answer
        return answer

    return handler


def _train(job: Job, resume: bool = False) -> tuple[Any, str]:
    result = run_job(job, resume=resume)
    pictures = [str(path) for path in (result.sheet, result.strip, *reversed(result.previews)) if path]
    return gr.update(value=pictures), done(summary(result)) + result.chart


def _continue(job: Job) -> tuple[Any, str]:
    return _train(job, resume=True)


def _check(job: Job) -> tuple[Any, str]:
    return gr.update(), "".join(done(line) for line in check_job(job))


def _find_rate(job: Job) -> tuple[Any, str]:
    found = find_rate_for(job)
    sentence = f"A rate near {found.rate:.2g} learns fastest; for a long run take a half to a tenth of it."
    return gr.update(), done(sentence) + found.chart()


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
    """A few sentences about a run that ended well."""
    ended = "Stopped by hand after" if result.interrupted else "Trained"
    left_out = f" {result.skipped_steps} steps were left out, their loss was no number." if result.skipped_steps else ""
    rolled = f" Rolled back {result.rollbacks} times." if result.rollbacks else ""
    return (
        f"{ended} {result.steps} steps in {result.seconds:.0f} s; loss {result.loss_first:.4f} at first, "
        f"{result.loss_last:.4f} at last. Saved as {result.network.name}; log and pictures are in {result.log.parent}."
        f"{left_out}{rolled}"
    )
