"""The size of pictures that a form of data starts with: the one that the loaded checkpoint was made for."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..forge import schedules
from ..model import attention_layers
from ..model.conditioning import vector_width
from .form import Form, Start

_FIELDS = ("data.width", "data.height")
#: Sides in pixels by the width of the text, in models as wide as the published ones.
_SD1, _SD2, _XL = 768, 1024, 2048
_SIDES_PX = {_SD1: 512, _SD2: 512, _XL: 1024}
_SD2_V_PX = 768
#: Others say it in their config: `ldm` as the side of a latent, `sgm` as a fourth of it, which its VAE was made for.
_PX_PER_LATENT, _XL_PER_VAE = 8, 4


def usual_px() -> int | None:
    """Return the side of the pictures that the loaded checkpoint was made for; None where none is loaded or tells."""
    model, widths = attention_layers.loaded_model(), attention_layers.loaded_widths()
    if not widths:
        return None
    if widths[0] == _SD2 and _predicts_v(model):
        return _SD2_V_PX
    if widths[0] in _SIDES_PX:
        return _SIDES_PX[widths[0]]
    if vector_width(model):
        encoder = getattr(getattr(model, "first_stage_model", None), "encoder", None)
        return _times(_XL_PER_VAE, getattr(encoder, "resolution", None))
    return _times(_PX_PER_LATENT, getattr(model, "image_size", None))


def start_with(start: Start) -> dict[str, dict[str, Any]]:
    """Return initial values with the size of the loaded checkpoint, where they name none themselves."""
    tables = {section: dict(values) for section, values in start.items()}
    px = usual_px()
    if px is not None and not is_named(start):
        tables["data"] |= {"width": px, "height": px}
    return tables


def is_named(start: Start) -> bool:
    """Tell whether initial values name a size, as those of a job file do."""
    return "width" in start["data"]


def follow(tab: Any, form: Form) -> Any:
    """Let the size follow the checkpoint whenever the tab is opened, until somebody enters another one.

    Returns:
        the event, after which the form may have to be looked at.
    """
    fields = [field for field in form.fields if field.address in _FIELDS]
    components = [field.component for field in fields]
    started = gr.State([field.default for field in fields])

    def followed(started: list[Any], *entered: Any) -> list[Any]:
        px = usual_px()
        if px is None or list(entered) != started:
            return [started, *(gr.update() for _ in entered)]
        form.start_with(dict.fromkeys(_FIELDS, px))
        return [[px] * len(_FIELDS), *(gr.update(value=px) for _ in entered)]

    return tab.select(followed, [started, *components], [started, *components], queue=False, show_progress="hidden")


def _predicts_v(model: Any) -> bool:
    objects = getattr(model, "forge_objects_original", None)
    if objects is None:
        return bool(model.parameterization == "v")
    return schedules.known_prediction(objects.unet.model) == "v"


def _times(factor: int, side: Any) -> int | None:
    return factor * side if isinstance(side, int) else None
