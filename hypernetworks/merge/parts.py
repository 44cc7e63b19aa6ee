"""The parts of a merged network, one MLP after the other, so that a part can be judged before the next is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..base.errors import MergeError
from ..files.format import is_finite
from ..network.hypernetwork import HypernetworkModule
from ..network.structure import Structure
from .inputs import SIDES, Inputs
from .method import Block, Method
from .method_options import SEED
from .plan import result_structure


@dataclass(frozen=True)
class Part:
    """One MLP of the result.

    Attributes:
        for_v: whether it is for `to_v`, not `to_k`.
        state: its weights by name, float32 on the CPU.
    """

    width: int
    for_v: bool
    structure: Structure
    state: dict[str, Tensor]

    def module(self) -> HypernetworkModule:
        """Return the MLP in evaluation mode, with these weights and no gradients."""
        with torch.device("meta"):
            made = HypernetworkModule(self.width, self.structure)
        made.load_state_dict(self.state, assign=True)
        return made.eval().requires_grad_(False)


def parts(inputs: Inputs, method: Method) -> Iterator[Part]:
    """Yield the parts of the network that `method` makes, those for `to_k` and `to_v` of each width in turn.

    Raises:
        MergeError: the method cannot merge these networks, or a weight of the result is not finite.
    """
    structure = result_structure(inputs, method)
    generator = torch.Generator()
    if SEED in method.options:
        generator.manual_seed(getattr(inputs.options, SEED.name))
    for width in inputs.widths:
        with torch.device("meta"):
            names = list(HypernetworkModule(width, structure).state_dict())
        for side, letter in enumerate(SIDES):
            block = Block(inputs, structure, width, bool(side), generator)
            with torch.no_grad():
                tensors = [tensor.to("cpu", torch.float32) for tensor in method.merge(block)]
            if not all(is_finite(tensor) for tensor in tensors):
                raise MergeError(f"the weights of the result are not finite at {width}.{letter}")
            yield Part(width, bool(side), structure, dict(zip(names, tensors, strict=True)))
