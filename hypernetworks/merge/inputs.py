"""The networks to merge with their weights, checked once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from ..base.errors import MergeError
from ..network.hypernetwork import Hypernetwork
from .method_options import is_number

SIDES = ("k", "v")
MAX_WEIGHT = 1000


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The networks of a merge with their weights and names, and the weights of each block.

    Attributes:
        options: the `Options` of the merge, including those that only some methods have.
    """

    networks: tuple[Hypernetwork, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...]
    options: Any

    @property
    def widths(self) -> tuple[int, ...]:
        """All attention widths of the networks, in the order in which they occur."""
        return tuple(dict.fromkeys(width for network in self.networks for width in network.widths))

    def block(self, width: int, for_v: bool) -> tuple[float, ...]:
        """Return the weights for one MLP of one width."""
        side = SIDES[for_v]
        for key in (f"{width}.{side}", str(width), side):
            if key in self.options.block_weights:
                return tuple(float(weight) for weight in self.options.block_weights[key])
        return self.weights


def check_inputs(networks: Iterable[tuple[Hypernetwork, float]], options: Any) -> Inputs:
    """Return the networks with their weights and the block weights, checked.

    Args:
        options: the `Options` of the merge.

    Raises:
        MergeError: there is nothing to merge, or a weight or block is wrong; names it.
    """
    pairs = list(networks)
    if not pairs:
        raise MergeError("there is no network to merge")
    names = _names([network for network, _ in pairs])
    for name, (_, weight) in zip(names, pairs, strict=True):
        if not is_weight(weight):
            raise MergeError(f"the weight of {name} must be a number up to {MAX_WEIGHT} in size, not {weight!r}")
    inputs = Inputs(tuple(network for network, _ in pairs), tuple(float(weight) for _, weight in pairs), names, options)
    blocks = {str(width) for width in inputs.widths} | set(SIDES)
    blocks |= {f"{width}.{side}" for width in inputs.widths for side in SIDES}
    for block, weights in options.block_weights.items():
        if block not in blocks:
            known = ", ".join(str(width) for width in inputs.widths)
            raise MergeError(f"block_weights: {block!r} is no block; a block is k, v, a width ({known}) or 768.k")
        if not isinstance(weights, (list, tuple)) or len(weights) != len(pairs) or not all(map(is_weight, weights)):
            raise MergeError(f"block_weights: {block} needs {len(pairs)} numbers, one per network, not {weights!r}")
    return inputs


def is_weight(value: Any) -> bool:
    """Tell whether `value` can be a weight, positive or negative."""
    return is_number(value) and abs(value) <= MAX_WEIGHT


def _names(networks: Sequence[Hypernetwork]) -> tuple[str, ...]:
    """Return a name of each network for messages: its own, with its position if that is not unique."""
    own = [network.metadata.name for network in networks]
    return tuple(
        repr(name) if name and own.count(name) == 1 else f"network {index + 1}" + (f" ({name!r})" if name else "")
        for index, name in enumerate(own)
    )
