"""The layers with weights that hypernetworks are made of.

They do not use the forward of torch's classes: for GPUs without autocast the host replaces it by one that casts the
weights themselves to fewer bits, which rounds away what they have learnt.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from . import onednn
from .devices import autocast_dtype


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
