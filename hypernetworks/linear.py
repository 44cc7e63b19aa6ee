"""The linear layer of hypernetworks, which trains on a faster kernel on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from . import onednn
from .devices import autocast_dtype


class Linear(nn.Linear):
    """Torch's linear layer; outside of training it does the same bit for bit, in training up to rounding."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., inputs] to [..., outputs]."""
        if (
            self.training
            and torch.is_grad_enabled()
            and x.numel() * self.out_features >= onednn.LEAST_WORK
            and not autocast_dtype(x.device)
            and onednn.takes(x, self.weight)
        ):
            return _Linear.apply(x, self.weight, self.bias)
        return super().forward(x)


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
