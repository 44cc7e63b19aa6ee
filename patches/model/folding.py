"""Affine maps folded into `to_k` and `to_v` for the length of a generation, and taken out bit for bit."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...hypernetworks.inference import Affine

_log = logging.getLogger(__name__)
_SAMPLES = 64
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)

#: The maps at the end of the chains for k and v of one width; None where there is none.
Tails = tuple["Affine | None", "Affine | None"]


class Folds:
    """The maps that are folded into the layers of a U-Net at present.

    The weights are overwritten in place and a copy of the old ones is kept in RAM, so that moves between devices,
    other extensions' references and the layers' identity stay as they are.
    """

    def __init__(self) -> None:
        self.current: nn.Module | None = None
        self._linears: list[_FoldedLinear] = []
        self._hooks: list[Any] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing is folded."""
        return not self._hooks

    @torch.no_grad()
    def fold(self, layers: tuple[Any, ...], tails: Callable[[int], Tails]) -> None:
        """Fold into every layer that allows it what `tails` returns for its width.

        `current` is the folded layer that is running, if one is.
        """
        try:
            for layer in layers:
                for_k, for_v = tails(layer.to_k.in_features)
                if (for_k or for_v) and is_foldable(layer.to_k) and is_foldable(layer.to_v):
                    self._hooks.append(layer.register_forward_pre_hook(self._enter))
                    self._hooks.append(layer.register_forward_hook(self._leave, always_call=True))
                    for linear, tail in ((layer.to_k, for_k), (layer.to_v, for_v)):
                        if tail is not None:
                            self._linears.append(_FoldedLinear(linear, tail))
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Give every weight its old bits back and remove the hooks."""
        while self._linears:
            self._linears.pop().undo()
        while self._hooks:
            self._hooks.pop().remove()
        self.current = None

    def _enter(self, layer: nn.Module, _inputs: Any) -> None:
        self.current = layer

    def _leave(self, _layer: nn.Module, _inputs: Any, _output: Any) -> None:
        self.current = None


def is_foldable(linear: nn.Linear) -> bool:
    """Tell whether a layer is torch's own, without hooks, quantisation or weights that others have changed."""
    return (
        type(linear) is nn.Linear
        and has_own_weights(linear)
        and not (linear._forward_hooks or linear._forward_pre_hooks)
        and linear.weight.device.type != "meta"
        and not linear.weight.is_inference()
    )


def has_own_forward(layer: nn.Module) -> bool:
    """Tell whether a layer computes what its class does, be it by another forward of ours."""
    forward = vars(layer).get("forward")
    return forward is None or getattr(forward, "is_equivalent", False)


def has_own_weights(layer: nn.Module) -> bool:
    """Tell whether a layer computes with its weight and bias as they are, without another forward."""
    return (
        has_own_forward(layer)
        and set(layer._parameters) == {"weight", "bias"}
        and getattr(layer.weight, "dtype", None) in _DTYPES
        and getattr(layer, "fp16_weight", None) is None
        # Here the host's LoRA keeps which of its networks are in the weights.
        and not getattr(layer, "network_current_names", ())
    )


def lora_is_active() -> bool:
    """Tell whether the host's LoRA will write into weights; it would back up our weights as the original ones."""
    return bool(getattr(sys.modules.get("networks"), "loaded_networks", ()))


class _FoldedLinear:
    """One linear layer with a map folded in."""

    def __init__(self, linear: nn.Linear, tail: Affine) -> None:
        weight = linear.weight
        self.linear = linear
        self._old_weight = weight.detach().to("cpu", copy=True)
        self._old_bias = None if linear.bias is None else linear.bias.detach().to("cpu", copy=True)
        self._bias: nn.Parameter | None = None
        folded, offset = _folded(weight, tail)
        weight.copy_(folded)
        self._mark = _samples(weight)
        if offset is not None:
            if linear.bias is not None:
                linear.bias.add_(offset)
            else:
                self._bias = nn.Parameter(offset.to(weight.dtype), requires_grad=False)
                linear.bias = self._bias

    @torch.no_grad()
    def undo(self) -> None:
        """Give the layer its old bits back."""
        linear = self.linear
        if not torch.equal(_samples(linear.weight), self._mark.to(linear.weight.dtype)):
            # Another checkpoint was loaded into the same layers: its weights are the right ones now.
            _log.info("The weights of an attention layer were replaced while a hypernetwork was folded in.")
        else:
            linear.weight.copy_(self._old_weight)
            if self._old_bias is not None:
                linear.bias.copy_(self._old_bias)
        if self._bias is not None:
            linear.register_parameter("bias", None)


def _folded(weight: Tensor, tail: Affine) -> tuple[Tensor, Tensor | None]:
    """Return M (1 + W) and M b; on the CPU in float32, which takes half the time and is exact enough for the weights.

    On a GPU in float64, because a setting of the host may round float32 products to ten bits there.
    """
    dtype = torch.float32 if weight.device.type == "cpu" else tail.weight.dtype
    with torch.autocast(weight.device.type, enabled=False):
        matrix = weight.to(dtype)
        folded = torch.addmm(matrix, matrix, tail.weight.to(weight.device, dtype))
        bias = tail.bias.to(weight.device, dtype)
        return folded, matrix @ bias if bool(bias.any()) else None


def _samples(weight: Tensor) -> Tensor:
    """Return a few values by which a weight is recognised, also on another device."""
    flat = weight.detach().flatten()
    return flat[:: max(1, flat.numel() // _SAMPLES)].to("cpu", copy=True)
