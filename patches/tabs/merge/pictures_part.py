"""The layout of the pictures in the tab Merge Hypernetworks, and the connections of their events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from modules import call_queue, sd_samplers

from ....hypernetworks.merge.pictures import PictureSettings
from ...runs import tasks
from ..form import Form
from ..frame import FIELD_PX, form_column, panel_column, progress_place, wipe_on
from .compositions import CompositionHandlers
from .handlers import MergeHandlers
from .picture_handlers import PictureHandlers, of_txt2img

_ID = "hnw_merge_pictures"
_QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
#: A function for an event, its inputs and its outputs.
Event = tuple[Callable[..., Any], list[Any], list[Any]]


@dataclass(frozen=True)
class PicturePart:
    """The pictures as the rest of the tab needs them.

    Attributes:
        of: what they are of.
        stale: tells that it has changed.
    """

    handlers: PictureHandlers
    of: Any
    stale: Any

    def look_at(self, part: MergeHandlers | CompositionHandlers | PictureHandlers) -> Event:
        """Return what happens when a field of this part of the tab changes."""
        count = len(part.inputs)

        def look(*given: Any) -> list[Any]:
            return [*part.look(*given[:count]), self.handlers.judge(*given[count:])]

        return look, [*part.inputs, *self.handlers.judged, self.of], [*part.shown, self.stale]


def make(merge: MergeHandlers, composition: CompositionHandlers, txt2img: Sequence[Any]) -> PicturePart:
    """Make the fields, the buttons and the gallery in the block that is open now.

    Args:
        txt2img: the eight components of the txt2img tab; none where the host does not give them.
    """
    start = {name: value for name, value in of_txt2img([one.value for one in txt2img]).items() if value is not None}
    form = Form(_ID, shows_problems=True, own={"sampler": partial(_sampler, start.get("sampler"))})
    parts: dict[str, Any] = {}
    with form_column(_ID):
        form.add_rows({"": PictureSettings}, {"": start})
        parts["fill"] = gr.Button("Fill in from txt2img", size="sm", visible=bool(txt2img), elem_id=f"{_ID}_fill")
    with panel_column(_ID):
        with gr.Row():
            parts["merge"] = gr.Button("Show pictures", variant="primary", scale=3, elem_id=f"{_ID}_show")
            parts["interrupt"] = gr.Button("Interrupt", scale=1, min_width=90, elem_id=f"{_ID}_interrupt")
        parts["composition"] = gr.Button(
            "Show pictures of the composition", size="sm", elem_id=f"{_ID}_show_composition"
        )
        progress_place(_ID)
        parts["status"] = gr.HTML(elem_id=f"{_ID}_status")
        parts["stale"] = gr.HTML(elem_id=f"{_ID}_stale")
        parts["gallery"] = gr.Gallery(
            label="Pictures", show_label=False, columns=2, object_fit="contain", elem_id=f"{_ID}_gallery"
        )
    parts |= {"task": gr.Textbox(visible=False), "of": gr.State(), "prediction": gr.State()}
    made = PicturePart(PictureHandlers(form, merge, composition), parts["of"], parts["stale"])
    _connect(made, parts, txt2img)
    return made


def _sampler(start: str | None, form: Form) -> None:
    """Make the field of the sampler, whose choices are the host's; a schedule may be typed behind one."""
    option = next(option for name, _, option in PictureSettings.options() if name == "sampler")
    with gr.Column(min_width=FIELD_PX, elem_classes="hnw-field"):
        component = gr.Dropdown(
            [sampler.name for sampler in sd_samplers.all_samplers],
            value=start or PictureSettings.sampler,
            label=option.label,
            info=option.help,
            allow_custom_value=True,
            elem_id=f"{_ID}_sampler",
            elem_classes="hnw-names",
        )
        form.add_component("", "sampler", option, component)


def _connect(made: PicturePart, parts: dict[str, Any], txt2img: Sequence[Any]) -> None:
    handlers, form = made.handlers, made.handlers.form
    soon = form.look_with(*made.look_at(handlers))
    if txt2img:
        filled = parts["fill"].click(handlers.fill, list(txt2img), form.components, **_QUICK)
        filled.then(None, None, None, _js=soon)
    wipe_on([parts["merge"], parts["composition"]], [parts["status"]])
    outputs = [parts["gallery"], parts["of"], parts["prediction"], parts["status"]]
    for name, part, show in (
        ("merge", handlers.merge, handlers.show_merge),
        ("composition", handlers.composition, handlers.show_composition),
    ):
        shown = parts[name].click(
            call_queue.wrap_gradio_gpu_call(show, extra_outputs=[gr.update()] * (len(outputs) - 1)),
            [parts["task"], *part.form.components, *form.components],
            outputs,
            _js=f"(...given) => hnwStartJob('{_ID}', given)",
            show_progress="hidden",
        )
        shown.then(handlers.judge, [*handlers.judged, made.of], [made.stale], **_QUICK)
        if isinstance(part, MergeHandlers):
            inputs = [parts["prediction"], *part.form.components]
            shown.then(part.show_prediction, inputs, [part.table], **_QUICK)
    parts["interrupt"].click(tasks.interrupt, [parts["task"]], _js=f"() => hnwStartedJob('{_ID}')", **_QUICK)
