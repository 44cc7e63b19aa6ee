"""Compares a merged network with what the merged ones do together, on random contexts; also before it is made."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from ..base.errors import SettingsError
from ..files.format import is_finite
from ..network.hypernetwork import Hypernetwork, HypernetworkModule
from .expected import Transform
from .inputs import SIDES, Inputs
from .parts import parts
from .plan import method_of

CONTEXTS = 256
_SEED = 0
#: Up to this share of the change, a result counts as exact: it is what float32 leaves.
_EXACT = 1e-4


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
def differences(
    result: Hypernetwork, inputs: Inputs, method: str, dtype: torch.dtype = torch.float32
) -> tuple[Difference, ...]:
    """Return the differences of `method`'s result, on 256 normal random vectors of each width, always the same ones.

    Args:
        result: merged from `inputs`; in evaluation mode, float32 on the CPU like them.
        dtype: of the file that it becomes; its weights are rounded to it first.

    Raises:
        SettingsError: a weight is too large for `dtype`, which it names.
    """
    return tuple(
        _difference(_rounded(result.pair(width)[side], dtype), inputs, method, (width, bool(side)))
        for width in inputs.widths
        for side in range(len(SIDES))
    )


def predict(inputs: Inputs, method: str, dtype: torch.dtype = torch.float32) -> Iterator[Difference]:
    """Yield what `differences` would return for the network that `method` makes, part by part as each is made.

    Raises:
        MergeError: the method cannot merge these networks.
        SettingsError: a weight is too large for `dtype`, which it names.
    """
    for part in parts(inputs, method_of(method)):
        with torch.inference_mode():
            found = _difference(_rounded(part.module(), dtype), inputs, method, (part.width, part.for_v))
        yield found


def is_exact(differences: Sequence[Difference]) -> bool:
    """Tell whether nothing but the rounding of float32 is between the outputs."""
    return all(one.largest is not None and one.largest <= _EXACT for one in differences)


def overall(differences: Sequence[Difference]) -> float | None:
    """Return the mean difference of all parts as a share of their mean change; None where nothing is to be changed."""
    changes = math.fsum(one.change for one in differences)
    if not changes or any(one.mean is None for one in differences):
        return None
    return math.fsum(one.change * (one.mean or 0.0) for one in differences) / changes


def _difference(result: Transform, inputs: Inputs, method: str, block: tuple[int, bool]) -> Difference:
    width, for_v = block
    context = torch.randn(1, CONTEXTS, width, generator=torch.Generator().manual_seed(_SEED))
    networks = [_transform(network, block) for network in inputs.networks]
    wanted = method_of(method).expected.change(networks, context, inputs.block(*block))
    distance = (result(context, 1.0) - context - wanted).abs()
    change = wanted.abs()
    return Difference(
        width,
        SIDES[for_v],
        float(change.mean()),
        _share(float(distance.max()), float(change.max())),
        _share(float(distance.mean()), float(change.mean())),
    )


def _rounded(part: HypernetworkModule, dtype: torch.dtype) -> HypernetworkModule:
    if dtype == torch.float32:
        return part
    rounded = copy.deepcopy(part).to(dtype).float()
    if not all(is_finite(tensor) for tensor in rounded.state_dict().values()):
        raise SettingsError("dtype", f"a weight of the result is too large for {str(dtype).removeprefix('torch.')}")
    return rounded


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
