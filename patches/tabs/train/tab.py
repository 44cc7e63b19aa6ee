"""The layout of the tab Train Gamma, and the connections of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context
from modules import call_queue, shared

from ....hypernetworks.jobs.preset_kinds import DATA, TRAINING
from ....hypernetworks.pages.sentences import is_refusal
from .. import folders, start_size, start_values, waiting
from ..create import tab as create_tab
from ..form import Form
from ..frame import controls, form_column, frame, panel_column, progress_place, wipe_on
from ..head import Head
from ..inspect import work
from ..own_presets import OwnPresets, Words
from . import buttons, continuing, fields, going_on
from .handlers import Handlers, Panel

_ID = "hnw_train"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


@dataclass(frozen=True)
class _Txt2img:
    """The tick for the settings of txt2img, and the components that hold them."""

    tick: Any
    components: Sequence[Any]


#: The page that the tab was built into last, and its handlers.
_built: list[tuple[Any, Handlers]] = []


def build(params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    handlers = make_tab(start_values.tables(), getattr(params, "txt2img_preview_params", ()))
    _follow_create(handlers)
    _built[:] = [(Context.root_block, handlers)]


def _follow_create(handlers: Handlers) -> None:
    """Choose each network that the tab for new ones makes, where the page has that tab."""
    made = create_tab.made_on_page()
    if made is None:
        return
    made.handlers.is_followed = True
    status = handlers.panel.status
    chosen = made.created.then(chosen_anew, [made.name, status], [_network(handlers), status], **_QUICK)
    chosen.then(None, None, None, _js=handlers.form.look_soon)


def chosen_anew(name: str, status: str) -> tuple[Any, Any]:
    """Return updates that choose a new network, and take away what was refused before it was there.

    Args:
        name: of the network; empty where none was made.
    """
    if not name:
        return gr.update(), gr.update()
    return gr.update(choices=work.names(), value=name), "" if is_refusal(status) else gr.update()


def handlers_of_page() -> Handlers | None:
    """Return the handlers of this tab in the page that is being built now; None where the page has none."""
    return next((handlers for page, handlers in _built if page is Context.root_block), None)


def form_of_page() -> Form | None:
    """Return the form of this tab in the page that is being built now; None where the page has none."""
    handlers = handlers_of_page()
    return handlers.form if handlers else None


def make_tab(start: dict[str, dict[str, Any]], txt2img: Sequence[Any] = ()) -> Handlers:
    """Make the tab in the block that is open now.

    Args:
        start: tables of a job with the initial values of the fields.
        txt2img: the eight components of the txt2img tab, where the host gives them.
    """
    form, follows = fields.make_form(), not start_size.is_named(start)
    start = start_size.start_with(start)
    with gr.Tab("Train Gamma", elem_id=f"{_ID}_tab") as tab, frame():
        with form_column(_ID):
            head = Head(form)
            recipes, data = _presets()
            refresh = fields.above_plot(form, start)
            plot = gr.HTML(elem_id="hnw_train_plot")
            fields.below_plot(form, start)
            tick = _tick(bool(txt2img))
            fields.folds(form, start)
            folders.add(_ID)
        head.fill()
        with panel_column(_ID, is_sticky=True):
            parts = _panel() | {"refresh": refresh}
            waiting.make()
        handlers = Handlers(
            form, Panel(recipes, data, plot, parts["continues"], parts["preview"], parts["status"], head)
        )
        _connect_entry(tab, handlers, parts)
        if follows:
            start_size.follow(tab, form).then(None, None, None, _js=form.look_soon)
    _connect_runs(form, parts, _Txt2img(tick, txt2img))
    going_on.connect(parts)
    return handlers


def _presets() -> tuple[OwnPresets, OwnPresets]:
    training = OwnPresets(
        "hnw_train",
        TRAINING,
        "Recipe",
        "Fills in rate, schedule, optimizer and number of steps for Stable Diffusion 1 and 2; you can change "
        "everything afterwards. Find a rate tells the rate for other models, and for your own pictures.",
        Words("Own recipes", "Name of the recipe", "Replace the recipe of this name", "Recipes to compare"),
    )
    data = OwnPresets(
        "hnw_train_data",
        DATA,
        "Data preset",
        "Fills in how captions and pictures are used; the folders stay.",
        Words(
            "Own data presets",
            "Name of the data preset",
            "Replace the data preset of this name",
            "Data presets to compare",
        ),
    )
    return training, data


def _tick(is_visible: bool) -> Any:
    tick = gr.Checkbox(
        False,
        label="Read preview settings from txt2img",
        info="Prompts, sampler, steps, CFG scale, size and seed of previews are those of the txt2img tab at the start.",
        elem_id="hnw_train_from_txt2img",
        visible=is_visible,
    )
    tick.do_not_save_to_config = True
    return tick


def _panel() -> dict[str, Any]:
    """Make the buttons and the display of a run; return them by name."""
    parts: dict[str, Any] = {}
    with controls(_ID):
        parts |= _buttons()
        parts["continues"] = gr.HTML(elem_id=f"{_ID}_continues")
        parts |= going_on.make()
        progress_place(_ID)
    parts["status"] = gr.HTML(elem_id="hnw_train_status")
    parts["saved"] = gr.File(label="Saved settings", visible=False, interactive=False, elem_id="hnw_train_saved")
    parts["preview"] = gr.Gallery(
        label="Previews and result",
        show_label=False,
        columns=4,
        preview=True,
        object_fit="contain",
        elem_id="hnw_train_preview",
    )
    parts["task"] = gr.Textbox(visible=False)
    # Pressed by the page's script: when a page is reopened after the end of the job that it shows; when it is opened
    # while no run goes on; when it is opened.
    parts["last"] = gr.Button("Show the last job", elem_id="hnw_train_last", elem_classes="hnw-hidden")
    parts["last_run"] = gr.Button("Show the last run", elem_id="hnw_train_last_run", elem_classes="hnw-hidden")
    parts["show"] = gr.Button("Show the run that goes on", elem_id="hnw_train_show", elem_classes="hnw-hidden")
    return parts


def _buttons() -> dict[str, Any]:
    with gr.Row():
        main = {
            "train": gr.Button("Start training", variant="primary", scale=2, elem_id="hnw_train_button"),
            "continue": gr.Button("Continue", elem_id="hnw_train_continue"),
            "interrupt": gr.Button("Interrupt", elem_id="hnw_train_interrupt"),
        }
    with gr.Row():
        main |= {
            "check": gr.Button("Check", size="sm", elem_id="hnw_train_check"),
            "find": gr.Button("Find a rate", size="sm", elem_id="hnw_train_find_rate"),
            "save": gr.Button("Save settings", size="sm", elem_id="hnw_train_save"),
            "load": gr.UploadButton(
                "Load settings", size="sm", file_types=[".toml", ".json"], elem_id="hnw_train_load"
            ),
        }
    with gr.Row():
        return main | {
            "queue": gr.Button("Add to queue", size="sm", elem_id="hnw_train_queue"),
            "queue_continue": gr.Button("Continue in the queue", size="sm", elem_id="hnw_train_queue_continue"),
        }


def _listed() -> Any:
    """Return an update with the present networks; one may have been made in another tab."""
    shared.reload_hypernetworks()
    return gr.update(choices=work.names())


def _network(handlers: Handlers) -> Any:
    return next(field.component for field in handlers.form.fields if field.address == "network.file")


def _connect_entry(tab: Any, handlers: Handlers, parts: Mapping[str, Any]) -> None:
    inputs, shown, status = handlers.form.components, handlers.shown, parts["status"]
    tab.select(_listed, outputs=[_network(handlers)], **_QUICK)
    soon = handlers.form.look_with(handlers.look, handlers.looked_at, shown)
    tab.select(None, None, None, _js=soon)
    # Another page or the queue may have started a run.
    tab.select(handlers.active_task, outputs=[parts["task"]], **_QUICK).then(
        None, [parts["task"]], None, _js="hnwFollowActive"
    )
    # A network that is chosen may be gone.
    parts["refresh"].click(shared.reload_hypernetworks, **_QUICK).then(None, None, None, _js=soon)
    training, data = handlers.panel.training, handlers.panel.data
    for presets in (training, data):
        tab.select(presets.refreshed, outputs=presets.lists, **_QUICK)
    of_form = (handlers.form, inputs, handlers.filled, handlers.by_address)
    for filled in (
        handlers.panel.head.connect(handlers.fill, inputs, handlers.filled),
        training.connect(handlers.choose_preset, *of_form),
        data.connect(handlers.choose_data, *of_form),
        parts["load"].upload(handlers.load, [parts["load"], *inputs], [status, *handlers.filled], **_QUICK),
    ):
        filled.then(None, None, None, _js=soon)
    parts["save"].click(handlers.save, inputs, [status, parts["saved"]], **_QUICK)
    shown_run = parts["show"].click(handlers.show_active, inputs, [parts["task"], *handlers.filled], **_QUICK)
    shown_run.then(None, [parts["task"]], None, _js="hnwFollowShown")


def _connect_runs(form: Form, parts: Mapping[str, Any], txt2img: _Txt2img) -> None:
    outputs = [parts["preview"], parts["status"]]
    wipe_on(
        [parts[name] for name in ("train", "continue", "check", "find", "save", *buttons.QUEUED)], [parts["status"]]
    )
    actions = {
        "train": buttons.train,
        "continue": buttons.resume,
        "check": buttons.check,
        "find": buttons.find_rate,
    }
    for name, action in actions.items():
        handler = buttons.handler(form, action, len(txt2img.components))
        parts[name].click(
            buttons.one_at_a_time(call_queue.wrap_gradio_gpu_call(handler, extra_outputs=[gr.update()])),
            _js="hnwStartTraining",
            inputs=[parts["task"], txt2img.tick, *txt2img.components, *form.components],
            outputs=outputs,
            show_progress="hidden",
        )
    for name, add in buttons.QUEUED.items():
        parts[name].click(
            buttons.queued(form, add, len(txt2img.components)),
            inputs=[txt2img.tick, *txt2img.components, *form.components],
            outputs=[parts["status"]],
            **_QUICK,
        )
    parts["continue"].click(
        lambda *entered: continuing.before_continue(form.values(entered)), form.components, [parts["status"]], **_QUICK
    )
    parts["interrupt"].click(buttons.interrupt, [parts["task"]], [parts["status"]], _js="hnwRunComing", **_QUICK).then(
        buttons.after_interrupt, [parts["status"]], [parts["status"]], **_QUICK
    )
    parts["last"].click(buttons.last_answer, outputs=outputs, **_QUICK)
    parts["last_run"].click(lambda: buttons.last_run(form), outputs=outputs, **_QUICK)
