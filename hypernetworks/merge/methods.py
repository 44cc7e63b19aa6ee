"""Merge methods that work tensor by tensor, in an explicit registry.

Each takes the same tensor of every network and their weights and gives the tensor of the result. They merge weights,
not outputs: between nonlinear networks the result is near the mix of the outputs only where the networks are near
each other, as after training on from the same file. `exact` merges outputs.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from .inputs import Options

Merge = Callable[["Tensors", Options, torch.Generator], Tensor]


@dataclasses.dataclass(frozen=True)
class Tensors:
    """One tensor of every network, float32 and of one shape, and the weights of its block."""

    tensors: Sequence[Tensor]
    weights: Sequence[float]

    def differences(self) -> list[tuple[Tensor, float]]:
        """Give what each network has beyond the first one, with its weight."""
        base = self.tensors[0]
        return [(tensor - base, weight) for tensor, weight in zip(self.tensors[1:], self.weights[1:], strict=True)]


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to merge the weights of networks of one structure.

    Attributes:
        merge: the tensor function.
        counts: the smallest and largest number of networks.
        weights: what the weights mean: `all` counts as it is; with `from base` the first network, of weight 1, is what
            the others' differences are added to; with `difference` only the second one's counts.
        summary: what it does, in one sentence.
    """

    merge: Merge
    counts: tuple[int, float]
    weights: Literal["all", "from base", "difference"]
    summary: str


def weighted_sum(inputs: Tensors, options: Options, generator: torch.Generator) -> Tensor:
    """Add the weights up, each times its network's weight, which are taken as they are.

    With weights that sum to 1 this is the averaging of Wortsman et al., "Model soups", 2022 (arXiv:2203.05482).
    """
    return sum_up(inputs.tensors, inputs.weights)


def add_difference(inputs: Tensors, options: Options, generator: torch.Generator) -> Tensor:
    """Give A + m (B - C), with m the weight of B.

    Ilharco et al., "Editing Models with Task Arithmetic", 2022 (arXiv:2212.04089).
    """
    first, second, third = inputs.tensors
    return first + inputs.weights[1] * (second - third)


def svd(inputs: Tensors, options: Options, generator: torch.Generator) -> Tensor:
    """Add each difference to the first network, matrices cut to `rank` by their largest singular values.

    The best approximation of that rank by Eckart and Young, "The approximation of one matrix by another of lower
    rank", 1936. Vectors are added whole.
    """
    parts = [(_truncate(difference, options.rank), weight) for difference, weight in inputs.differences()]
    return _add(inputs.tensors[0], parts)


def dare(inputs: Tensors, options: Options, generator: torch.Generator) -> Tensor:
    """Add each difference to the first network, a random part of it dropped and the rest made larger for that.

    Yu et al., "Language Models are Super Mario: Absorbing Abilities from Homologous Models as a Free Lunch", 2023
    (arXiv:2311.03099). `density` is the share kept, and 1 / density the factor.
    """
    parts = []
    for difference, weight in inputs.differences():
        kept = torch.rand(difference.shape, generator=generator) < options.density
        parts.append((difference * kept / options.density, weight))
    return _add(inputs.tensors[0], parts)


def ties(inputs: Tensors, options: Options, generator: torch.Generator) -> Tensor:
    """Add the mean of those differences that agree in sign to the first network.

    Yadav et al., "TIES-Merging: Resolving Interference When Merging Models", 2023 (arXiv:2306.01708). Of each
    difference the share `density` of largest size is kept; each value takes the sign of the weighted sum, and the mean
    of what has that sign, weighted and times the sum of all weights (the paper's lambda).
    """
    differences = inputs.differences()
    scaled = torch.stack([_trim(difference, options.density) * weight for difference, weight in differences])
    sizes = torch.tensor([abs(weight) for _, weight in differences]).reshape(-1, *[1] * inputs.tensors[0].dim())
    agrees = (scaled.sign() == scaled.sum(dim=0).sign()) & (scaled != 0)
    share = (sizes * agrees).sum(dim=0)
    mean = (scaled * agrees).sum(dim=0) / torch.where(share > 0, share, torch.ones_like(share))
    return inputs.tensors[0] + mean * sizes.sum()


METHODS: dict[str, Method] = {
    "weighted_sum": Method(weighted_sum, (1, math.inf), "all", "adds up the weights of the networks"),
    "add_difference": Method(
        add_difference, (3, 3), "difference", "adds what the second network has beyond the third to the first one"
    ),
    "svd": Method(svd, (2, math.inf), "from base", "adds the differences from the first network, cut to a rank"),
    "dare": Method(
        dare, (2, math.inf), "from base", "adds the differences from the first network, a random part dropped"
    ),
    "ties": Method(
        ties, (2, math.inf), "from base", "adds the differences from the first network where they agree in sign"
    ),
}
"""The methods that work tensor by tensor, by name."""


def sum_up(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Add tensors of one shape up, each times its weight."""
    result = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        result.add_(tensor, alpha=weight)
    return result


def _add(base: Tensor, parts: Sequence[tuple[Tensor, float]]) -> Tensor:
    result = base.clone()
    for part, weight in parts:
        result.add_(part, alpha=weight)
    return result


def _truncate(matrix: Tensor, rank: int) -> Tensor:
    if matrix.dim() < 2 or rank >= min(matrix.shape):  # noqa: PLR2004 - a vector has no rank to cut
        return matrix
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    return (left[:, :rank] * sizes[:rank]) @ right[:rank]


def _trim(tensor: Tensor, density: float) -> Tensor:
    """Keep the largest values by size, as many as `density` says and at least one."""
    count = max(1, round(tensor.numel() * density))
    if count >= tensor.numel():
        return tensor
    flat = torch.zeros(tensor.numel())
    kept = tensor.abs().flatten().topk(count).indices
    flat[kept] = tensor.flatten()[kept]
    return flat.reshape(tensor.shape)
