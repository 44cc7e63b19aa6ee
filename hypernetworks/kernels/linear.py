"""The layers with weights that hypernetworks are made of, and how linear ones run at generation.

The layers do not use the forward of torch's classes: for GPUs without autocast the host replaces it by one that casts
the weights themselves to fewer bits, which rounds away what they have learnt.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from . import onednn
from .devices import autocast_dtype
from .tensors import version

#: Address, device and count of writes of each weight of a layer.
_Mark = list[tuple[int, torch.device, "int | None"]]


class Linear(nn.Linear):
    """Torch's linear layer, on a faster kernel when it trains on a CPU.

    Outside of training the results are the same bit for bit, in training up to rounding.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., inputs] to [..., outputs]."""
        if (
            self.training
            and torch.is_grad_enabled()
            and x.numel() * self.out_features >= onednn.MIN_WORK
            and not autocast_dtype(x.device)
            and onednn.takes(x, self.weight)
        ):
            return _Linear.apply(x, self.weight, self.bias)
        return functional.linear(x, self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """Torch's layer norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x [..., width]."""
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class PackedLinear:
    """x -> x W^T + b at generation; through oneDNN on a CPU in float32 where torch has it, else as torch does it.

    The weights are laid out for oneDNN once and never copied again.

    Args:
        weight: W [outputs, inputs]; must not change while this is in use.
        bias: b [outputs] or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self._packed: Tensor | None = None

    @classmethod
    def of(cls, layer: nn.Linear) -> PackedLinear:
        """Return a layer of torch as a packed one, shared by all who ask for it as long as its weights stay."""
        weights = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        mark: _Mark = [(tensor.data_ptr(), tensor.device, version(tensor)) for tensor in weights]
        known = _known.get(layer)
        if known is None or known[0] != mark or any(tensor.is_inference() for tensor in weights):
            known = _known[layer] = mark, cls(layer.weight, layer.bias)
        return known[1]

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [..., inputs] to [..., outputs]; no gradient goes through."""
        if not onednn.takes(self.weight, x):
            return functional.linear(x, self.weight, self.bias)
        if self._packed is None:
            self._packed = onednn.lay_out_linear(self.weight.detach())
        bias = None if self.bias is None else self.bias.detach()
        return onednn.linear(x.detach(), self._packed, bias)


_known: WeakKeyDictionary[nn.Linear, tuple[_Mark, PackedLinear]] = WeakKeyDictionary()


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return onednn.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        return (
            onednn.linear(gradient, weight.t(), None) if for_x else None,
            onednn.linear(rows.t(), x.reshape(-1, x.shape[-1]).t(), None) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )
