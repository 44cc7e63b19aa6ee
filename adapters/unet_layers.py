"""The attention layers of a U-Net of diffusers, and what in them a hypernetwork cannot reach."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from torch import nn

from ..hypernetworks.base.errors import AdapterError

_NAMES = ("attn1", "attn2")
#: What processors that project keys and values in another way read of a layer.
_OTHER_PROJECTIONS = {"to_qkv", "to_kv", "add_k_proj", "add_v_proj", "to_k_custom_diffusion"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """One attention layer.

    Attributes:
        name: its path in the U-Net.
        attention: diffusers' module, with `to_k`, `to_v` and a processor.
        is_text: whether keys and values come from the text.
    """

    name: str
    attention: Any
    is_text: bool

    @property
    def width(self) -> int:
        """Width of the input of `to_k` and `to_v`."""
        return self.attention.cross_attention_dim


def layers_of(unet: nn.Module) -> tuple[Layer, ...]:
    """Return the self-attention and the text attention of every transformer block.

    Raises:
        AdapterError: there is none.
    """
    found = tuple(
        Layer(name, module, bool(module.is_cross_attention))
        for name, module in unet.named_modules()
        if name.rpartition(".")[2] in _NAMES and hasattr(module, "to_k") and hasattr(module, "processor")
    )
    if not found:
        raise AdapterError(f"{type(unet).__name__} has no attention layers that a hypernetwork changes")
    return found


def check(layer: Layer) -> None:
    """Raise AdapterError, naming the layer's processor, where it does not call `to_k` and `to_v` of its layer."""
    processor = layer.attention.processor
    names = _names_in(processor)
    if names & {"to_qkv", "to_kv"}:
        raise AdapterError(
            f"{layer.name} has fused projections ({type(processor).__name__}), which hypernetworks cannot reach: "
            "call pipe.unfuse_qkv_projections() first"
        )
    if names & _OTHER_PROJECTIONS or not {"to_k", "to_v"} <= names:
        raise AdapterError(
            f"{layer.name} runs {type(processor).__name__}, which makes keys and values in its own way, so that "
            "hypernetworks cannot reach them: choose another attention processor first"
        )


def _names_in(processor: Any) -> set[str]:
    """Return the attributes that the code of a processor names."""
    kind = type(processor)
    is_module = issubclass(kind, nn.Module) and kind.__call__ is nn.Module.__call__
    function = inspect.unwrap(kind.forward if is_module else kind.__call__)
    return set(getattr(getattr(function, "__code__", None), "co_names", ()))
