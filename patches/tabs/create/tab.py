"""The layout of the tab Create Beta Hypernetwork, and the connections of its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from ....hypernetworks.base.options import Option, as_text, groups
from ....hypernetworks.jobs.create_entry import MORE_WIDTHS
from ....hypernetworks.jobs.preset_kinds import CREATION
from ....hypernetworks.train.settings.job import CreateSettings
from .. import start_values
from ..form import Form
from ..frame import controls, form_column, frame, panel_column, wipe_on
from ..head import Head
from ..own_presets import OwnPresets, Words
from .handlers import Handlers, Panel, Seen

_ID = "hnw_create"
_WIDTHS = Option(
    "Attention widths",
    "Widths of the attention layers that the network changes; all of the loaded checkpoint are ticked.",
)
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}


@dataclass(frozen=True)
class Made:
    """The tab as it was made in a page.

    Attributes:
        buttons: its buttons by name.
        created: the end of a press on Create, after which `name` holds the name of the network; empty where refused.
    """

    handlers: Handlers
    buttons: Mapping[str, Any]
    created: Any
    name: Any


#: The page that the tab was built into last, and the tab.
_built: list[tuple[Any, Made]] = []


def build(_params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    make_tab(start_values.tables())


def made_on_page() -> Made | None:
    """Return this tab in the page that is being built now; None where the page has none."""
    return next((made for page, made in _built if page is Context.root_block), None)


def make_tab(start: Mapping[str, Mapping[str, Any]]) -> Handlers:
    """Make the tab in the block that is open now.

    Args:
        start: tables of a job with the initial values of the fields.
    """
    values = {**start["network"], "name": start["output"].get("name", ""), "seed": start["train"].get("seed", 0)}
    wanted = tuple(values.get("widths", ()))
    form = Form("hnw_create", shows_problems=True, own={"widths": lambda form: _width_fields(form, wanted)})
    with gr.Tab("Create Beta Hypernetwork", elem_id=f"{_ID}_tab") as tab, frame():
        with form_column(_ID):
            head = Head(form)
            own = _presets()
            form.add_rows({"": CreateSettings}, {"": values})
            form.add_folds({"": CreateSettings}, {"": values}, groups([CreateSettings]))
        head.fill()
        with panel_column(_ID, is_sticky=True):
            buttons = _buttons()
            panel = _panel(own, head)
        handlers = Handlers(form, panel, wanted)
        created = _connect(tab, handlers, buttons)
    _built[:] = [(Context.root_block, Made(handlers, buttons, created, buttons["made"]))]
    return handlers


def _presets() -> OwnPresets:
    return OwnPresets(
        "hnw_create",
        CREATION,
        "Preset",
        "Fills in a proven shape; you can change everything afterwards.",
        Words("Own presets", "Name of the preset", "Replace the preset of this name", "Presets to compare"),
    )


def _width_fields(form: Form, wanted: tuple[int, ...]) -> None:
    with form.column():
        ticks = gr.CheckboxGroup(
            [], value=[], label=_WIDTHS.label, info=_WIDTHS.help, elem_id="hnw_create_widths"
        )  # the handlers offer the widths once there is a checkpoint
        form.add_component("", "widths", _WIDTHS, ticks)
    with form.column():
        more = gr.Textbox(
            as_text(wanted), label=MORE_WIDTHS.label, info=MORE_WIDTHS.help, elem_id="hnw_create_more_widths"
        )
        form.add_component("", "more_widths", MORE_WIDTHS, more)


def _buttons() -> dict[str, Any]:
    with controls(_ID):
        buttons: dict[str, Any] = {
            "create": gr.Button("Create hypernetwork", variant="primary", elem_id="hnw_create_button"),
            # Shown by the tab Queue where the page has the form of a training too.
            "queue": gr.Button("Create and train in the queue", size="sm", elem_id="hnw_create_queue", visible=False),
        }
        with gr.Row():
            buttons["save"] = gr.Button("Save settings", size="sm", elem_id="hnw_create_save")
            buttons["load"] = gr.UploadButton(
                "Load settings", size="sm", file_types=[".toml", ".json"], elem_id="hnw_create_load"
            )
        buttons["status"] = gr.HTML(elem_id="hnw_create_status")
    buttons["saved"] = gr.File(label="Saved settings", visible=False, interactive=False, elem_id="hnw_create_saved")
    buttons["made"] = gr.Textbox(visible=False)
    # Pressed by the page's script when the checkpoint changes.
    buttons["refresh"] = gr.Button("Refresh", visible=False, elem_id="hnw_create_refresh")
    return buttons


def _panel(own: OwnPresets, head: Head) -> Panel:
    return Panel(
        presets=own,
        drawing=gr.HTML(elem_id="hnw_create_drawing"),
        summary=gr.HTML(elem_id="hnw_create_summary"),
        seen=gr.State(Seen()),
        head=head,
    )


def _connect(tab: Any, handlers: Handlers, buttons: Mapping[str, Any]) -> Any:
    """Connect the events; return that of a network that was made, or refused."""
    inputs, shown, status = handlers.inputs, handlers.shown, buttons["status"]
    soon = handlers.form.look_with(handlers.look, handlers.looked_at, shown)
    for event in (tab.select, buttons["refresh"].click):
        event(None, None, None, _js=soon)
    own = handlers.panel.presets
    tab.select(own.refreshed, outputs=own.lists, **_QUICK)
    for filled in (
        handlers.panel.head.connect(handlers.reset, inputs, handlers.filled),
        own.connect(handlers.choose_preset, handlers.form, inputs, handlers.filled, handlers.by_address),
        buttons["load"].upload(handlers.load, [buttons["load"], *inputs], [status, *handlers.filled], **_QUICK),
    ):
        filled.then(None, None, None, _js=soon)
    buttons["save"].click(handlers.save, inputs, [status, buttons["saved"]], **_QUICK)
    wipe_on([buttons[name] for name in ("save", "create")], [status])
    # What was judged while the file came into being is judged again.
    created = buttons["create"].click(handlers.create, inputs, [status, buttons["made"], *shown])
    created.then(None, None, None, _js=soon)
    return created
