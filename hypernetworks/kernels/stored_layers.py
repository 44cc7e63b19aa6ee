"""Frozen layers whose weights rest in eight bits while something trains, and are widened in each call.

They take half of what fp16 takes, and a step is a little slower. The numbers are those of the rounded weights: each
output has a scale of its own, because weights of a U-Net are so small that eight bits alone would lose most of them.
The format is E4M3 of Micikevicius et al. 2022, "FP8 formats for deep learning".
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.grad
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ..base.errors import SettingsError
from .devices import autocast_dtype

#: What the setting `train.unet_storage` offers.
CHOICES = AS_LOADED, FP8 = ("as loaded", "fp8")
STORED = torch.float8_e4m3fn
_LARGEST = torch.finfo(STORED).max
#: Of an output without weights, or with ones so small that their scale would be zero.
_LEAST_SCALE = torch.finfo(torch.float32).tiny
#: Weights in fewer bits than these are left as they are: the host has stored them so.
_WIDE = (torch.float16, torch.bfloat16, torch.float32)
_DEVICES = ("cuda",)


def check(storage: str, device: torch.device, is_possible: bool) -> None:
    """Raise SettingsError where weights cannot rest in `storage`; on a CPU they simply stay.

    Args:
        is_possible: whether the host leaves its weights to us.
    """
    if storage == AS_LOADED:
        return
    if not is_possible:
        raise SettingsError("train.unet_storage", "this host keeps its own weights; choose as loaded")
    if device.type not in (*_DEVICES, "cpu"):
        raise SettingsError("train.unet_storage", f"{storage} needs an NVIDIA or AMD GPU; choose as loaded")


def is_wanted(storage: str, device: torch.device) -> bool:
    """Tell whether weights on the device are to be stored; main memory would hold them twice."""
    return storage != AS_LOADED and device.type in _DEVICES


def can_be_stored(layer: nn.Module) -> bool:
    """Tell whether a layer is a linear one or a convolution with weights in more than eight bits."""
    weight = getattr(layer, "weight", None)
    return (
        type(layer) in (nn.Linear, nn.Conv2d)
        and isinstance(weight, Tensor)
        and weight.dtype in _WIDE
        and not weight.is_inference()
    )


def freed_bytes(layers: Iterable[nn.Module]) -> int:
    """Return the bytes of device memory that `stored` frees for these layers."""
    weights: list[Tensor] = [layer.weight for layer in layers if isinstance(layer.weight, Tensor)]
    return sum(weight.nbytes - weight.numel() - 4 * weight.shape[0] for weight in weights)


@contextmanager
def stored(layers: Iterable[nn.Module]) -> Iterator[None]:
    """Let the weights of layers for which `can_be_stored` rest in eight bits; afterwards they have their old bits.

    Those wait in main memory meanwhile, and stay there where the GPU has run out of memory when they come back.
    """
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_stored(layer))
        try:
            yield
        except BaseException as error:
            # What a failed step has computed is held by its frames, and may leave no room for the old weights.
            traceback.clear_frames(error.__traceback__)
            raise


@contextmanager
def _stored(layer: Any) -> Iterator[None]:
    own, original = vars(layer).get("forward"), layer.weight.detach().to("cpu")
    layer.forward = StoredLayer(layer)
    try:
        yield
    finally:
        if own is None:
            del layer.forward
        else:
            layer.forward = own
        device = layer.weight.device
        with torch.no_grad():
            if device.type != "meta":  # to which the host moves a model that it throws away
                layer.weight.data = original  # the right numbers, even where the GPU has no room for them
            layer.weight.data = original.to(device)


class StoredLayer:
    """The forward of a linear layer or a convolution, whose weights it puts into eight bits.

    Attributes:
        is_equivalent: marks this forward as one that computes the same, for those who look at the layer.
    """

    is_equivalent = True

    @torch.no_grad()
    def __init__(self, layer: Any) -> None:
        """Replace the weights [outputs, ...] of `layer`."""
        weight = layer.weight.detach()
        most = weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True)
        scale = (most.float() / _LARGEST).clamp(min=_LEAST_SCALE)
        layer.weight.data = (weight / scale).to(STORED)
        self.layer = layer
        self._scale = scale
        is_convolution = isinstance(layer, nn.Conv2d)
        self._form = (layer.stride, layer.padding, layer.dilation, layer.groups) if is_convolution else None

    def __call__(self, x: Tensor) -> Tensor:
        """Map x as the layer does with the rounded weights."""
        weight, bias = self.layer.weight, self.layer.bias
        if self._scale.device != weight.device:  # the host has moved the U-Net meanwhile
            self._scale = self._scale.to(weight.device)
        dtype = autocast_dtype(x.device) or x.dtype
        return _Stored.apply(x.to(dtype), weight, self._scale, None if bias is None else bias.to(dtype), self._form)


def widened(weight: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Return stored weights [outputs, ...] as numbers of `dtype`, with no copy in more bits.

    They are multiplied in float32, as the scales are: some are too small for fp16.
    """
    return weight.to(dtype).mul_(scale)


class _Stored(torch.autograd.Function):
    """Keeps the stored weights for the backward pass, not the widened ones, and no input."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, form: tuple[Any, ...] | None
    ) -> Tensor:
        ctx.save_for_backward(weight, scale)
        ctx.shape, ctx.form = x.shape, form
        wide = widened(weight, scale, x.dtype)
        return functional.linear(x, wide, bias) if form is None else functional.conv2d(x, wide, bias, *form)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        weight, scale = ctx.saved_tensors
        wide = widened(weight, scale, gradient.dtype)
        if ctx.form is None:
            found = gradient @ wide
        else:
            found = torch.nn.grad.conv2d_input(ctx.shape, wide, gradient, *ctx.form)
        return found, None, None, None, None
