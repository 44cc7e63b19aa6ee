"""A chain at generation, for programs that ask for the input of `to_k` and for that of `to_v` one at a time."""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import Tensor

from ..compose.bound import Step
from ..kernels.tensors import is_compiling, version
from .reduced import Function, reduce
from .text_cache import TextCache, state_of


class Sides:
    """Computes what a chain makes of an attention input, with the text once a prompt and affine networks joined.

    Where a graph is compiled, gradients are asked for or a network trains, each network is run as it is.

    Args:
        step: the networks; those that are needed are moved to the device of the input.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.networks = tuple(dict.fromkeys(step.networks()))
        self._weights = [weight for network in self.networks for weight in network.parameters()]
        self._texts = TextCache()
        self._functions: dict[Hashable, Function] = {}
        self._made_from: Hashable = None

    def __reduce__(self) -> tuple[type[Sides], tuple[Step]]:
        """Let copies of a model have chains of their own; what is kept for speed cannot be copied."""
        return Sides, (self.step,)

    def refresh(self) -> None:
        """Forget what was made from weights that were changed since; to be called before each forward."""
        state = tuple((weight.data_ptr(), weight.dtype, version(weight)) for weight in self._weights)
        if state != self._made_from:
            self._texts.clear()
            self._functions.clear()
            self._made_from = state

    def __call__(self, x: Tensor, for_v: bool, is_text: bool) -> Tensor:
        """Transform the input of `to_k`, or with `for_v` of `to_v`.

        Args:
            x: [batch, tokens, width]; `x` itself is returned where nothing is added.
            is_text: whether it is the same in all layers and steps, so that it is worth keeping.
        """
        if not self.networks:
            return x
        if is_compiling() or self._must_be_plain(x):
            return self.step.side(x, for_v)
        if is_text:
            return self._texts.get(state_of(self.networks), x, lambda: self.step.transform(x, x))[int(for_v)]
        key = (x.shape[-1], for_v, x.device)
        if key not in self._functions:
            self._functions[key] = reduce(self.step, x.shape[-1], for_v, x.device)
        return self._functions[key](x)

    def _must_be_plain(self, x: Tensor) -> bool:
        if any(network.training for network in self.networks):
            return True
        return torch.is_grad_enabled() and (x.requires_grad or any(weight.requires_grad for weight in self._weights))
