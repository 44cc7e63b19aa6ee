"""Merge methods: their interface and registry. Each is one decorated function in a file of the room `methods`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..base.registry import Registry
from ..network.structure import Structure
from .expected import ExpectedOutput
from .inputs import Inputs
from .method_options import OwnOption
from .structures import shared_structure
from .weights import Weights


@dataclass(frozen=True)
class Block:
    """One MLP of the result, and what it is made from.

    Attributes:
        inputs: the networks; some may lack the width.
        structure: structure of the result.
        width: its attention width.
        for_v: whether it is for `to_v`, not `to_k`.
        generator: random numbers for methods with the option `seed`.
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
"""Returns the merged weights of one MLP in the order of the format."""


@dataclass
class Method:
    """A merge method, and the decorator of the function that merges.

    Attributes:
        name: its name in code and recipes.
        label: its name in forms.
        summary: what it does, as a part of a sentence.
        order: position in lists; smaller numbers come first.
        weights: what the weights of the networks mean.
        expected: the output that the result is compared with.
        counts: the smallest and the largest number of networks.
        options: the options besides weights that it uses.
        exact: whether the result does what it is compared with, but for the rounding of float32.
        structure: returns the structure of the result; raises MergeError, with the network's name and the reason, for
            networks that the method cannot merge.
        merge: the decorated function.
    """

    name: str
    label: str
    summary: str
    order: float
    weights: Weights
    expected: ExpectedOutput
    counts: tuple[int, float] = (1, math.inf)
    options: tuple[OwnOption, ...] = ()
    exact: bool = False
    structure: Callable[[Inputs], Structure] = shared_structure
    merge: Merge = field(init=False)

    def __call__(self, merge: Merge) -> Merge:
        """Add the method to `METHODS`."""
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
    """Return the options that methods use, each once, in the order of the methods."""
    return tuple(dict.fromkeys(own for method in METHODS.values() for own in method.options))
