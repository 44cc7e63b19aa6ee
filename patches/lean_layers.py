"""The frozen layers of the U-Net while a hypernetwork trains: less kept for the backward pass, faster on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..hypernetworks.frozen import FrozenConvolution, FrozenLinear
from .folding import has_own_weights, lora_is_active

#: Where the forward of a plain layer's class comes from: torch, or the host's LoRA, which does nothing without a LoRA.
_PLAIN_FORWARDS = ("torch.nn.modules.linear", "torch.nn.modules.conv", "networks")


class LeanForward:
    """The forward of one layer: with gradients through our own, else the layer's as ever.

    Attributes:
        gives_same: read where somebody asks whether a layer is a plain one.
    """

    gives_same = True

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self._frozen = FrozenConvolution(layer) if isinstance(layer, nn.Conv2d) else FrozenLinear(layer)

    def __call__(self, x: Tensor) -> Tensor:
        """Map x as the layer does."""
        return self._frozen(x) if torch.is_grad_enabled() else type(self.layer).forward(self.layer, x)


@contextmanager
def lean(unet: nn.Module) -> Iterator[None]:
    """Plain layers of `unet`, whose weights must take no gradient, run through our own forward in training."""
    changed: list[nn.Module] = []
    try:
        if not lora_is_active():
            kinds = (nn.Linear, nn.Conv2d) if next(unet.parameters()).device.type == "cpu" else (nn.Conv2d,)
            for layer in unet.modules():
                if type(layer) in kinds and _is_plain(layer):
                    layer.forward = LeanForward(layer)
                    changed.append(layer)
        yield
    finally:
        for layer in changed:
            del layer.forward


def _is_plain(layer: nn.Module) -> bool:
    return (
        has_own_weights(layer)
        and getattr(type(layer).forward, "__module__", "") in _PLAIN_FORWARDS
        and not layer.weight.requires_grad
        # Tiling pads with the other side's pixels; extensions for it replace the convolution of single layers.
        and getattr(layer, "padding_mode", "zeros") == "zeros"
        and not isinstance(getattr(layer, "padding", ()), str)
        and "_conv_forward" not in vars(layer)
    )
