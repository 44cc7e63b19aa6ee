"""Merges that work tensor by tensor: each tensor of the result comes from the same tensor of every network.

They merge weights, not outputs: with nonlinear networks the result is near the mix of the outputs only if the
networks are close to each other, as after training that started from the same file. Exact methods merge outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .method import Block, Merge


@dataclass(frozen=True)
class Tensors:
    """One tensor of every network, float32 on the CPU and of one shape, with the parameters of the merge.

    Attributes:
        weights: weights of the networks in the block of the tensor.
        options: the `Options` of the merge, including those of the method.
        generator: random numbers for methods with the option `seed`.
    """

    tensors: Sequence[Tensor]
    weights: Sequence[float]
    options: Any
    generator: torch.Generator

    def differences(self) -> list[tuple[Tensor, float]]:
        """Return the difference of each network from the first one, with its weight."""
        base = self.tensors[0]
        return [(tensor - base, weight) for tensor, weight in zip(self.tensors[1:], self.weights[1:], strict=True)]


def tensor_by_tensor(function: Callable[[Tensors], Tensor]) -> Merge:
    """Return the merge of networks of one form, made from the function that merges one of their tensors."""

    @functools.wraps(function)
    def merge(block: Block) -> list[Tensor]:
        modules = [network.pair(block.width)[int(block.for_v)] for network in block.inputs.networks]
        states = [module.state_dict().values() for module in modules]
        return [
            function(
                Tensors(
                    [tensor.to("cpu", torch.float32) for tensor in tensors],
                    block.weights,
                    block.inputs.options,
                    block.generator,
                )
            )
            for tensors in zip(*states, strict=True)
        ]

    return merge


def added(base: Tensor, parts: Iterable[tuple[Tensor, float]]) -> Tensor:
    """Return a tensor plus parts of its shape, each times its weight."""
    result = base.clone()
    for part, weight in parts:
        result.add_(part, alpha=weight)
    return result
