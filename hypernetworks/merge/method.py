"""What a merge method is. Each stands in one file of the room `methods`, as one decorated function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..base.registry import Registry
from ..network.structure import Structure
from .comparison import Comparison
from .inputs import Inputs
from .own_options import OwnOption
from .structures import shared_structure
from .weights import Weights


@dataclass(frozen=True)
class Block:
    """One MLP of the result, and what it is made of.

    Attributes:
        inputs: the networks, of which some may lack the width.
        structure: of the result.
        width: its attention width.
        for_v: whether it is that of `to_v`, not of `to_k`.
        generator: what a method draws from that has the option `seed`.
    """

    inputs: Inputs
    structure: Structure
    width: int
    for_v: bool
    generator: torch.Generator

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each network in this block."""
        return self.inputs.block(self.width, self.for_v)


Merge = Callable[[Block], Sequence[Tensor]]
"""Gives the merged weights of one MLP in the order of the format."""


@dataclass
class Method:
    """A merge method, and the decorator of the function that merges.

    Attributes:
        name: in code and recipes.
        label: as people read it.
        summary: what it does, as a part of a sentence.
        order: its place among the methods; smaller ones come first.
        weights: what the weights of the networks mean.
        comparison: what the result's outputs are compared with.
        counts: the smallest and the largest number of networks.
        options: those beside weights that it uses.
        structure: gives the structure of the result; raises MergeError, with the network's name and the reason, for
            networks that the method cannot merge.
        merge: the decorated function.
    """

    name: str
    label: str
    summary: str
    order: float
    weights: Weights
    comparison: Comparison
    counts: tuple[int, float] = (1, math.inf)
    options: tuple[OwnOption, ...] = ()
    structure: Callable[[Inputs], Structure] = shared_structure
    merge: Merge = field(init=False)

    def __call__(self, merge: Merge) -> Merge:
        """Take the method into `METHODS`."""
        self.merge = merge
        METHODS.add(self.name, self, self.order)
        return merge


merge_method = Method
METHODS: Registry[Method] = Registry(room=f"{__package__}.methods")
"""All merge methods by name."""


class Labels(Mapping[str, Method]):
    """All merge methods by label."""

    def __getitem__(self, label: str) -> Method:
        for method in METHODS.values():
            if method.label == label:
                return method
        raise KeyError(label)

    def __iter__(self) -> Iterator[str]:
        return (method.label for method in METHODS.values())

    def __len__(self) -> int:
        return len(METHODS)


def own_options() -> tuple[OwnOption, ...]:
    """List the options that methods use, each once, in the order of the methods."""
    return tuple(dict.fromkeys(own for method in METHODS.values() for own in method.options))
