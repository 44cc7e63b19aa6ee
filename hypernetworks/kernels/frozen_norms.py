"""Frozen norms within something that trains: they keep their input as it is, not its copy in float32.

Torch computes norms in float32 where the rest is in fewer bits, and keeps that copy of the input for the backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .devices import autocast_dtype


class FrozenNorm:
    """A group norm or a layer norm whose weights take no gradient.

    Args:
        layer: the norm.
        casts: whether its forward casts to float32 and back by itself.
    """

    def __init__(self, layer: nn.GroupNorm | nn.LayerNorm, casts: bool = False) -> None:
        self.layer: Any = layer
        self._casts = casts
        self._function: Any = _GroupNorm if isinstance(layer, nn.GroupNorm) else _LayerNorm
        self._form = layer.num_groups if isinstance(layer, nn.GroupNorm) else layer.normalized_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise x as the layer does; shaped like x, in float32 where autocast makes the layer compute in that."""
        layer = self.layer
        is_in_full = self._casts or autocast_dtype(x.device) is not None
        if x.dtype == torch.float32 or not is_in_full or not x.requires_grad:
            return type(layer).forward(layer, x)
        found = self._function.apply(x, layer.weight, layer.bias, self._form, layer.eps)
        return found.to(x.dtype) if self._casts else found


class _GroupNorm(torch.autograd.Function):
    """A group norm in float32 (Wu and He 2018) for x [batch, channels, ...]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        pictures, channels, pixels = x.shape[0], x.shape[1], math.prod(x.shape[2:])
        ctx.sizes = pictures, channels, pixels, groups
        full = x.float().contiguous()
        found, *moments = torch.native_group_norm(
            full, weight.float(), bias.float(), pictures, channels, pixels, groups, eps
        )
        ctx.save_for_backward(x, weight, *moments)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, mean, deviation = ctx.saved_tensors
        found, _, _ = torch.ops.aten.native_group_norm_backward(
            gradient.contiguous(),
            x.float().contiguous(),
            mean,
            deviation,
            weight.float(),
            *ctx.sizes,
            [True, False, False],
        )
        return found.to(x.dtype), None, None, None, None


class _LayerNorm(torch.autograd.Function):
    """A layer norm in float32 (Ba et al. 2016) for x [..., *shape]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, shape: tuple[int, ...], eps: float) -> Tensor:
        ctx.shape = shape
        found, *moments = torch.native_layer_norm(x.float(), shape, weight.float(), bias.float(), eps)
        ctx.save_for_backward(x, weight, bias, *moments)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight, bias, mean, deviation = ctx.saved_tensors
        found, _, _ = torch.ops.aten.native_layer_norm_backward(
            gradient, x.float(), ctx.shape, mean, deviation, weight.float(), bias.float(), [True, False, False]
        )
        return found.to(x.dtype), None, None, None, None
