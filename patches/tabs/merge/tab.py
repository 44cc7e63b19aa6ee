"""The layout of the tab Merge Hypernetworks, and the connections of its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ....hypernetworks.base.options import Option, Settings
from ....hypernetworks.merge.baking import BakeSettings
from ....hypernetworks.merge.saving import ResultSettings
from ....hypernetworks.merge.settings import NONE, OWN_OPTIONS, ROWS, MergeSettings, used_fields
from ....hypernetworks.pages.sentences import note
from ..form import Form, widget
from ..frame import FIELD_PX, controls, form_column, frame, panel_column, wipe_on
from ..inspect import work
from . import baking, pictures_part
from . import handlers as merging
from .baking import BakeHandlers
from .compositions import TEXT, CompositionHandlers
from .handlers import MergeHandlers
from .picture_handlers import PictureHandlers

_ID = "hnw_merge"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
_OPTIONAL_ROW = 3


@dataclass(frozen=True)
class Tab:
    """The handlers of the parts of the tab."""

    merge: MergeHandlers
    pictures: PictureHandlers
    composition: CompositionHandlers
    bake: BakeHandlers


def build(params: Any = None) -> None:
    """Build the tab inside the host's Train tab."""
    make_tab(getattr(params, "txt2img_preview_params", ()))


def make_tab(txt2img: Sequence[Any] = ()) -> Tab:
    """Make the tab in the block that is open now.

    Args:
        txt2img: the eight components of the txt2img tab, where the host gives them.
    """
    with gr.Tab("Merge Hypernetworks", elem_id=f"{_ID}_tab") as tab:
        with frame():
            merge, merged, refresh = _merge_part()
        with gr.Accordion("Composition", open=False, elem_id=f"{_ID}_composition"), frame():
            composition = _composition_part()
        with gr.Accordion("Pictures", open=False, elem_id=f"{_ID}_pictures"), frame():
            pictures = pictures_part.make(merge, composition, txt2img)
        soon = merge.form.look_with(*pictures.look_at(merge))
        composition.form.look_with(*pictures.look_at(composition))
        with gr.Accordion("Bake into a checkpoint", open=False, elem_id=f"{_ID}_bake"), frame():
            bake = _bake_part()
    lists = [*merge.lists, *(field.component for field in bake.form.fields if field.name in ("network", "checkpoint"))]
    for event in (tab.select, refresh.click):
        event(_refreshed, None, lists, **_QUICK).then(*pictures.look_at(merge), **_QUICK)
    merged.then(_refreshed, None, lists, **_QUICK)
    merged.then(None, None, None, _js=soon)  # what was judged while the file came into being is judged again
    return Tab(merge, pictures.handlers, composition, bake)


def _merge_part() -> tuple[MergeHandlers, Any, Any]:
    """Make the merge; return its handlers, the event of its end, and the button that refreshes the lists."""
    form = Form(_ID, shows_problems=True)
    columns: dict[str, Any] = {}
    with form_column(_ID):
        rows = [_network_row(form, columns, row) for row in range(1, ROWS + 1)]
        with gr.Row():
            form.add(MergeSettings, {}, ("method",))
        with gr.Row(visible=False) as options:
            columns |= {name: _sometimes(form, name) for name in OWN_OPTIONS}
        with gr.Row():
            form.add(MergeSettings, {}, ("block_weights",))
        form.add_rows({"": ResultSettings})
    with panel_column(_ID):
        with controls(_ID):
            with gr.Row():
                button = gr.Button("Merge", variant="primary", scale=3, elem_id=f"{_ID}_button")
                predict = gr.Button("Predict", scale=1, min_width=110, elem_id=f"{_ID}_predict")
                refresh = gr.Button("Refresh list", scale=1, min_width=110, elem_id=f"{_ID}_refresh")
                queue = gr.Button("Add to queue", scale=1, min_width=110, elem_id=f"{_ID}_queue")
            status = gr.HTML(elem_id=f"{_ID}_status")
        check = gr.HTML(elem_id=f"{_ID}_check")
        table = gr.HTML(note("Choose at least two networks."), elem_id=f"{_ID}_methods")
    handlers = MergeHandlers(form, columns, [options, *rows[_OPTIONAL_ROW - 1 :]], table, gr.State(None))
    wipe_on([button, predict, queue], [status, check])
    queue.click(handlers.queue, form.components, [status], **_QUICK)
    prediction = gr.State()
    measured = predict.click(handlers.predict, form.components, [status, prediction])
    measured.then(handlers.show_prediction, [prediction, *form.components], [table], **_QUICK)
    return handlers, button.click(handlers.merge, form.components, [status, check, handlers.made]), refresh


def _network_row(form: Form, columns: dict[str, Any], row: int) -> Any:
    optional = row >= _OPTIONAL_ROW
    with gr.Row(visible=not optional) as line:
        names = [NONE, *work.names()] if optional else work.names()
        _dropdown(MergeSettings, f"network_{row}", names, _ID, form)
        columns[f"weight_{row}"] = _sometimes(form, f"weight_{row}")
    return line


def _composition_part() -> CompositionHandlers:
    id_ = f"{_ID}_composition"
    form = Form(id_, shows_problems=True)
    with form_column(id_):
        text = gr.Textbox("", label=TEXT.label, info=TEXT.help, lines=TEXT.lines, elem_id=f"{id_}_text")
        form.add_component("", "text", TEXT, text)
        form.add_rows({"": ResultSettings})
    with panel_column(id_):
        preview = gr.HTML(elem_id=f"{id_}_preview")
        with gr.Row():
            save = gr.Button("Save as .hns", variant="primary", elem_id=f"{id_}_save")
            save_one = gr.Button("Save as one file", elem_id=f"{id_}_save_one")
        status = gr.HTML(elem_id=f"{id_}_status")
    handlers = CompositionHandlers(form, preview)
    wipe_on([save, save_one], [status])
    save.click(handlers.save, form.components, [status])
    save_one.click(handlers.save_one, form.components, [status])
    return handlers


def _bake_part() -> BakeHandlers:
    id_ = f"{_ID}_bake"
    lists = {"network": work.names(), "checkpoint": baking.checkpoints()}
    own = {name: partial(_dropdown, BakeSettings, name, choices, id_) for name, choices in lists.items()}
    form = Form(id_, shows_problems=True, own=own)
    with form_column(id_):
        form.add_rows({"": BakeSettings})
    with panel_column(id_):
        preview = gr.HTML(elem_id=f"{id_}_preview")
        button = gr.Button("Bake", variant="primary", elem_id=f"{id_}_button")
        status = gr.HTML(elem_id=f"{id_}_status")
    handlers = BakeHandlers(form, preview)
    form.look_with(handlers.look, form.components, handlers.shown)
    checkpoint = next(field.component for field in form.fields if field.name == "checkpoint")
    wipe_on([button], [status])
    button.click(handlers.bake, form.components, [status, checkpoint])
    return handlers


def _dropdown(kind: type[Settings], name: str, choices: list[str], id_: str, form: Form) -> None:
    """Make a field with choices from the host; its initial value is "None" where that is one."""
    _, option = _declared(kind, name)
    value = NONE if NONE in choices[:1] else None
    with gr.Column(scale=2, min_width=FIELD_PX, elem_classes="hnw-field"):
        component = gr.Dropdown(
            choices,
            value=value,
            label=option.label,
            info=option.help,
            elem_id=f"{id_}_{name}",
            elem_classes="hnw-networks",
        )
        form.add_component("", name, option, component)


def _sometimes(form: Form, name: str) -> Any:
    """Make a field that is shown only where it has an effect; return its column."""
    kind, option = _declared(MergeSettings, name)
    is_visible = name in used_fields(MergeSettings.method, (1, 2)) or name.startswith("weight_")
    with gr.Column(scale=1, min_width=FIELD_PX, elem_classes="hnw-field", visible=is_visible) as column:
        component = widget(kind, option, getattr(MergeSettings, name), f"{_ID}_{name}")
        form.add_component("", name, option, component)
    return column


def _declared(kind: type[Settings], name: str) -> tuple[Any, Option]:
    """Return the type and the option of a setting."""
    return next((type_, option) for one, type_, option in kind.options() if one == name)


def _refreshed() -> list[Any]:
    return [*merging.refreshed(), *baking.refreshed()]
