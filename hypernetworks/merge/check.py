"""Compares a merged network with what the merged ones do together, on random contexts."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..network.hypernetwork import Hypernetwork
from .expected import Transform
from .inputs import SIDES, Inputs
from .plan import method_of

CONTEXTS = 256
_SEED = 0


@dataclass(frozen=True)
class Difference:
    """How far the result is from what the networks do together, for one MLP.

    Attributes:
        side: `k` or `v`.
        change: mean absolute value that the networks together add to a value of the context.
        largest: the largest difference as a share of the largest change; None where nothing is changed.
        mean: the mean difference as a share of the mean change; None where nothing is changed.
    """

    width: int
    side: str
    change: float
    largest: float | None
    mean: float | None


def compared_with(method: str) -> str:
    """Return in words what `differences` compares the result of `method` with."""
    return method_of(method).expected.words


@torch.inference_mode()
def differences(result: Hypernetwork, inputs: Inputs, method: str) -> tuple[Difference, ...]:
    """Return the differences of `method`'s result, on 256 normal random vectors of each width, always the same ones.

    Args:
        result: merged from `inputs`; in evaluation mode, float32 on the CPU like them.
    """
    return tuple(
        _difference(result, inputs, method, (width, bool(side)))
        for width in inputs.widths
        for side in range(len(SIDES))
    )


def _difference(result: Hypernetwork, inputs: Inputs, method: str, block: tuple[int, bool]) -> Difference:
    width, for_v = block
    context = torch.randn(1, CONTEXTS, width, generator=torch.Generator().manual_seed(_SEED))
    networks = [_transform(network, block) for network in inputs.networks]
    wanted = method_of(method).expected.change(networks, context, inputs.block(*block))
    distance = (_transform(result, block)(context, 1.0) - context - wanted).abs()
    change = wanted.abs()
    return Difference(
        width,
        SIDES[for_v],
        float(change.mean()),
        _share(float(distance.max()), float(change.max())),
        _share(float(distance.mean()), float(change.mean())),
    )


def _transform(network: Hypernetwork, block: tuple[int, bool]) -> Transform:
    """Return the transform of one block of a network; without the width it leaves the context as it is."""
    width, for_v = block
    if width not in network.widths:
        return lambda context, strength: context
    return network.pair(width)[int(for_v)]


def _share(part: float, whole: float) -> float | None:
    if whole:
        return part / whole
    return None if part else 0.0
