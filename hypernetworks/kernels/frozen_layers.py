"""Frozen layers within something that trains: they keep no more for the backward pass than it needs.

Torch keeps the input of a convolution, which only the gradient of its weights needs, and of a gate a part that is
quickly computed again. On a CPU these layers also run on faster kernels. The numbers are the same up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.grad
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from . import onednn
from .devices import autocast_dtype
from .tensors import version

#: Convolutions of at most this number of weights get copies in the layout of the kernel, one for each pass.
MAX_LAID_OUT = 1 << 19
#: Number of tensor shapes that such copies are made for.
MAX_SHAPES = 4
#: Weights per pixel above which a convolution is faster as one matrix product.
WEIGHTS_PER_PIXEL = 40_000


class FrozenLinear:
    """A linear layer for x [..., inputs] whose weights take no gradient."""

    def __init__(self, layer: nn.Linear) -> None:
        self.layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [..., inputs] to [..., outputs]."""
        weight, bias = self.layer.weight, self.layer.bias
        is_worth_it = x.numel() * weight.shape[0] >= onednn.MIN_WORK
        if not is_worth_it or autocast_dtype(x.device) or not onednn.takes(x, weight):
            return functional.linear(x, weight, bias)
        return _linear(x, weight, bias)


class FrozenConvolution:
    """A convolution for x [batch, inputs, height, width] whose weights take no gradient."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer
        self._is_simple = (
            layer.kernel_size in {(1, 1), (3, 3)}
            and layer.padding == (layer.kernel_size[0] // 2,) * 2
            and (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
        )
        self._mark: tuple[int, int | None] | None = None
        self._laid_out: dict[torch.Size, tuple[Tensor, Tensor]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [batch, inputs, height, width] to [batch, outputs, height, width], smaller for a stride."""
        weight, bias = self.layer.weight, self.layer.bias
        wanted = autocast_dtype(x.device)
        if wanted is not None:
            x = x.to(wanted)
        elif self._is_simple and onednn.takes(x, weight):
            return self._on_cpu(x, weight, bias)
        return self._plain(x, weight, bias)

    def _plain(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        layer = self.layer
        form: tuple[Any, ...] = layer.stride, layer.padding, layer.dilation, layer.groups
        if not x.requires_grad:
            return functional.conv2d(x, weight, bias, *form)
        return _Convolution.apply(x, weight, bias, form)

    def _on_cpu(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        pixels = x.shape[0] * x.shape[2] * x.shape[3]
        if weight.numel() * pixels < onednn.MIN_WORK:
            return self.layer._conv_forward(x, weight, bias)
        layouts = self._layouts(weight, x.shape) if weight.numel() <= MAX_LAID_OUT else None
        if layouts is not None:
            there, back = layouts
            padding = self.layer.kernel_size[0] // 2
            if not x.requires_grad:
                return onednn.convolve(x, there, bias, padding)
            return _LaidOut.apply(x, there, back, bias, padding)
        if self.layer.kernel_size == (1, 1):
            return _as_picture(_linear(_as_rows(x), weight.flatten(1), bias), x.shape[2:])
        if weight.numel() >= WEIGHTS_PER_PIXEL * pixels:
            columns = functional.unfold(x, 3, padding=1).transpose(1, 2)
            return _as_picture(_linear(columns, weight.flatten(1), bias), x.shape[2:])
        return self._plain(x, weight, bias)

    def _layouts(self, weight: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor] | None:
        """Return the weights for the forward and the backward pass: turned by 180 degrees, inputs and outputs swapped.

        They suit tensors of one shape; None after too many shapes.
        """
        mark = weight.data_ptr(), version(weight)
        if mark != self._mark or weight.is_inference():
            self._mark = mark
            self._laid_out.clear()
        found = self._laid_out.get(shape)
        if found is None and len(self._laid_out) < MAX_SHAPES:
            plain, padding = weight.detach(), self.layer.kernel_size[0] // 2
            turned = plain.flip(2, 3).transpose(0, 1)
            found = self._laid_out[shape] = (
                onednn.lay_out_convolution(plain, shape, padding),
                onednn.lay_out_convolution(turned, (shape[0], weight.shape[0], *shape[2:]), padding),
            )
        return found


class FrozenGate:
    """A GEGLU layer (Shazeer 2020) for x [..., inputs]: a gelu(g), with a and g the halves of a linear map."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer: Any = layer

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [..., inputs] to [..., outputs]."""
        halves = self.layer.proj(x)
        return _Gate.apply(halves) if halves.requires_grad else _gated(halves)


def _gated(halves: Tensor) -> Tensor:
    passed, gate = halves.chunk(2, dim=-1)
    return functional.gelu(gate).mul_(passed)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return _Linear.apply(x, weight, bias) if x.requires_grad else onednn.linear(x, weight, bias)


def _as_rows(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def _as_picture(rows: Tensor, sides: torch.Size) -> Tensor:
    return rows.transpose(1, 2).unflatten(2, sides)


class _Linear(torch.autograd.Function):
    """A linear map whose weights take no gradient, on oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return onednn.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        return onednn.linear(gradient, weight.t(), None), None, None


class _LaidOut(torch.autograd.Function):
    """A convolution with stride 1, whose backward pass is a convolution too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        ctx.back, ctx.padding = back, padding
        return onednn.convolve(x, there, bias, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return onednn.convolve(gradient, ctx.back, None, ctx.padding), None, None, None, None


class _Convolution(torch.autograd.Function):
    """Torch's convolution without the copy of its input that only the gradient of the weights would need.

    Under autocast the weights themselves are kept, not their cast copy.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, form: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.form = x.shape, form
        return functional.conv2d(x, weight, bias, *form)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        weight = weight.to(gradient.dtype)
        return torch.nn.grad.conv2d_input(ctx.shape, weight, gradient, *ctx.form), None, None, None


class _Gate(torch.autograd.Function):
    """A gate that keeps only its input."""

    @staticmethod
    def forward(ctx: Any, halves: Tensor) -> Tensor:
        ctx.save_for_backward(halves)
        return _gated(halves)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (halves,) = ctx.saved_tensors
        passed, gate = halves.chunk(2, dim=-1)
        found = torch.empty_like(halves)
        for_passed, for_gate = found.chunk(2, dim=-1)
        torch.ops.aten.gelu.out(gate, out=for_passed)
        for_passed.mul_(gradient)
        torch.mul(gradient, passed, out=for_gate)
        torch.ops.aten.gelu_backward.grad_input(for_gate, gate, grad_input=for_gate)
        return found
