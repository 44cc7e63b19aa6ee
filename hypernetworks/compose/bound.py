"""Trees of networks that transform the inputs of `to_k` and `to_v`: one, one after the other, or side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeAlias

from torch import Tensor

from ..network.hypernetwork import Hypernetwork

Pair: TypeAlias = "tuple[Tensor, Tensor]"


@dataclasses.dataclass(frozen=True)
class Apply:
    """One network at a strength."""

    network: Hypernetwork
    strength: float = 1.0

    def transform(self, k_in: Tensor, v_in: Tensor) -> Pair:
        """Pass inputs [batch, tokens, width], of any float dtype, through the network, which is moved to their device.

        Returns:
            Tensors of the same shape and dtype, computed in that of the network; the same objects where it has
            no such width or adds nothing. While the network trains, its strength is always 1.
        """
        network, width = self.network, k_in.shape[-1]
        if width not in network.widths:
            return k_in, v_in
        for_k, for_v = network.pair(width)
        if next(for_k.parameters()).device != k_in.device:
            network.to(k_in.device)
        return for_k(k_in, self.strength), for_v(v_in, self.strength)

    def side(self, x: Tensor, for_v: bool) -> Tensor:
        """Pass an input [batch, tokens, width] of `to_k`, or with `for_v` of `to_v`, through the network alone."""
        if x.shape[-1] not in self.network.widths:
            return x
        module = self.network.pair(x.shape[-1])[int(for_v)]
        if next(module.parameters()).device != x.device:
            self.network.to(x.device)
        return module(x, self.strength)

    def networks(self) -> Iterator[Hypernetwork]:
        """Yield the networks, each as often as it is used."""
        yield self.network


@dataclasses.dataclass(frozen=True)
class Chain:
    """Steps in a row, each of which sees the output of the one before; an empty chain changes nothing."""

    parts: tuple[Step, ...]

    def transform(self, k_in: Tensor, v_in: Tensor) -> Pair:
        """Pass inputs [batch, tokens, width] through the parts in order."""
        for part in self.parts:
            k_in, v_in = part.transform(k_in, v_in)
        return k_in, v_in

    def side(self, x: Tensor, for_v: bool) -> Tensor:
        """Pass an input [batch, tokens, width] of `to_k`, or with `for_v` of `to_v`, through the parts in order."""
        for part in self.parts:
            x = part.side(x, for_v)
        return x

    def networks(self) -> Iterator[Hypernetwork]:
        """Yield the networks, each as often as it is used."""
        for part in self.parts:
            yield from part.networks()


@dataclasses.dataclass(frozen=True)
class Blend:
    """Steps on the same input x: the result is x plus the share of what each adds to it."""

    parts: tuple[tuple[Step, float], ...]

    def transform(self, k_in: Tensor, v_in: Tensor) -> Pair:
        """Pass inputs [batch, tokens, width] through every part and sum up what they add."""
        results = [(part.transform(k_in, v_in), share) for part, share in self.parts if share != 0]
        return (
            mix(k_in, [(result[0], share) for result, share in results]),
            mix(v_in, [(result[1], share) for result, share in results]),
        )

    def side(self, x: Tensor, for_v: bool) -> Tensor:
        """Pass an input [batch, tokens, width] of `to_k`, or with `for_v` of `to_v`, through every part."""
        return mix(x, [(part.side(x, for_v), share) for part, share in self.parts if share != 0])

    def networks(self) -> Iterator[Hypernetwork]:
        """Yield the networks, each as often as it is used."""
        for part, _ in self.parts:
            yield from part.networks()


Step: TypeAlias = "Apply | Chain | Blend"


def mix(x: Tensor, parts: list[tuple[Tensor, float]]) -> Tensor:
    """Return `x` plus the share of what each part adds to it; `x` itself where none adds anything.

    With shares that sum to 1 this is the average of the parts, but parts that leave `x` alone add no rounding.
    """
    result = x
    for part, share in parts:
        if part is not x:
            result = result + (part - x) * share
    return result
