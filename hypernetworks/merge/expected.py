"""The output expected of a merged network: what the networks do together, which the result is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Transform = Callable[[Tensor, float], Tensor]
"""Takes the context [batch, tokens, width] and a strength; returns the output of one network."""


@dataclass(frozen=True)
class ExpectedOutput:
    """The output expected of a merge.

    Attributes:
        words: its description, as a part of a sentence.
        change: takes transforms, context and weights; returns what the networks together add to the context.
    """

    words: str
    change: Callable[[Sequence[Transform], Tensor, Sequence[float]], Tensor]


def _weighted_sum(networks: Sequence[Transform], context: Tensor, weights: Sequence[float]) -> Tensor:
    return _sum(_changes(networks, context), weights)


def _differences(networks: Sequence[Transform], context: Tensor, weights: Sequence[float]) -> Tensor:
    first, *others = _changes(networks, context)
    return first + _sum([change - first for change in others], weights[1:])


def _one_difference(networks: Sequence[Transform], context: Tensor, weights: Sequence[float]) -> Tensor:
    first, second, third = _changes(networks, context)
    return first + weights[1] * (second - third)


def _sequence(networks: Sequence[Transform], context: Tensor, weights: Sequence[float]) -> Tensor:
    output = context
    for network, strength in zip(networks, weights, strict=True):
        output = network(output, strength)
    return output - context


def _changes(networks: Sequence[Transform], context: Tensor) -> list[Tensor]:
    return [network(context, 1.0) - context for network in networks]


def _sum(changes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    return torch.stack([change * weight for change, weight in zip(changes, weights, strict=True)]).sum(dim=0)


WEIGHTED_SUM = ExpectedOutput("the weighted sum of the networks' outputs", _weighted_sum)
DIFFERENCES = ExpectedOutput("A's output plus the weighted differences of the others' outputs from it", _differences)
ONE_DIFFERENCE = ExpectedOutput("A's output plus m times the difference of B's and C's", _one_difference)
SEQUENCE = ExpectedOutput("the networks' output one after the other", _sequence)
