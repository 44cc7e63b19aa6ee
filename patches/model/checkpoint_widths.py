"""Attention widths of the checkpoint that is loaded right now, without loading one."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from modules import sd_models, shared
from torch import nn

from . import attention_layers, host

_known: WeakKeyDictionary[nn.Module, tuple[int, ...]] = WeakKeyDictionary()


def loaded_widths() -> tuple[int, ...]:
    """Widths of the loaded checkpoint; none as long as none is loaded. Quick enough for every key stroke."""
    unet = attention_layers.unet_of(_loaded_model())
    if unet is None:
        return ()
    if unet not in _known:
        _known[unet] = host.attention_widths(unet)
    return _known[unet]


def _loaded_model() -> Any:
    """Return the model, if there is one: asking `shared.sd_model` for it would load it or wait until it is loaded."""
    data = getattr(sd_models, "model_data", None)
    return data.sd_model if data is not None else shared.__dict__.get("sd_model")
