"""How near a merged network comes to what the merged ones do together, measured on random contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..network.hypernetwork import Hypernetwork
from .blocks import weights_role
from .inputs import SIDES, Inputs

CONTEXTS = 256
_SEED = 0
#: What the outputs of a merge are compared with, by what its weights mean.
COMPARED_WITH = {
    "all": "the weighted sum of the networks' outputs",
    "from base": "A's output plus the weighted differences of the others' outputs from it",
    "difference": "A's output plus m times the difference of B's and C's",
    "exact_sequence": "the networks' output one after the other",
}


@dataclass(frozen=True)
class Difference:
    """How far the result is from what the networks give together, for one MLP.

    Attributes:
        side: `k` or `v`.
        change: mean size of what the networks together add to a value of the context.
        largest: the largest difference, as a share of the largest change; None where nothing is changed.
        mean: the mean difference, as a share of the mean change; None where nothing is changed.
    """

    width: int
    side: str
    change: float
    largest: float | None
    mean: float | None


def compared_with(method: str) -> str:
    """Tell what `differences` compares the result of `method` with, in words."""
    return COMPARED_WITH.get(method) or COMPARED_WITH[weights_role(method)]


@torch.inference_mode()
def differences(result: Hypernetwork, inputs: Inputs, method: str) -> tuple[Difference, ...]:
    """Measure the result of `method` on 256 normal random vectors of each width, always the same ones.

    Args:
        result: as it was merged of `inputs`, in evaluation mode, float32 on the CPU like them.
    """
    return tuple(
        _difference(result, inputs, method, (width, bool(side)))
        for width in inputs.widths
        for side in range(len(SIDES))
    )


def _difference(result: Hypernetwork, inputs: Inputs, method: str, block: tuple[int, bool]) -> Difference:
    width, for_v = block
    context = torch.randn(1, CONTEXTS, width, generator=torch.Generator().manual_seed(_SEED))
    wanted = _wanted(inputs, method, block, context)
    distance = (_output(result, block, context) - context - wanted).abs()
    change = wanted.abs()
    return Difference(
        width,
        SIDES[for_v],
        float(change.mean()),
        _share(float(distance.max()), float(change.max())),
        _share(float(distance.mean()), float(change.mean())),
    )


def _wanted(inputs: Inputs, method: str, block: tuple[int, bool], context: Tensor) -> Tensor:
    """Tell what the networks together add to the context."""
    weights = inputs.block(*block)
    if method == "exact_sequence":
        output = context
        for network, strength in zip(inputs.networks, weights, strict=True):
            output = _output(network, block, output, strength)
        return output - context
    changes = [_output(network, block, context) - context for network in inputs.networks]
    role = weights_role(method)
    if role == "difference":
        return changes[0] + weights[1] * (changes[1] - changes[2])
    if role == "from base":
        return changes[0] + _sum([change - changes[0] for change in changes[1:]], weights[1:])
    return _sum(changes, weights)


def _output(network: Hypernetwork, block: tuple[int, bool], context: Tensor, strength: float = 1.0) -> Tensor:
    width, for_v = block
    return network.pair(width)[int(for_v)](context, strength) if width in network.widths else context


def _sum(changes: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    return torch.stack([change * weight for change, weight in zip(changes, weights, strict=True)]).sum(dim=0)


def _share(part: float, whole: float) -> float | None:
    if whole:
        return part / whole
    return None if part else 0.0
