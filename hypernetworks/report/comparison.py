"""Differences of two networks: in structure, weight by weight, and in their outputs for the same contexts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..network.hypernetwork import Hypernetwork, HypernetworkModule
from ..network.layers import ResidualBlock

CONTEXTS = 256
_SEED = 0
_STRUCTURE = (
    *("layer_structure", "activation", "layer_norm", "activate_output", "dropout_structure"),
    *("skip_connection", "upsample_linear"),
)


@dataclass(frozen=True)
class FactDifference:
    """A fact in which two networks differ, as text."""

    fact: str
    first: str
    second: str


@dataclass(frozen=True)
class WeightDistance:
    """How far a weight of the second network is from that of the first.

    Attributes:
        side: `k` or `v`.
        weight: name, such as `layer 1 bias`.
        first, second: L2 norms; None where a network lacks the weight.
        relative: L2 norm of the difference by that of the first; None where that is 0 or the shapes differ.
        cosine: cosine similarity of both; None where a norm is 0 or the shapes differ.
    """

    width: int
    side: str
    weight: str
    first: float | None
    second: float | None
    relative: float | None
    cosine: float | None


@dataclass(frozen=True)
class OutputDistance:
    """How differently two networks transform the same contexts, at strength 1.

    Attributes:
        first, second: mean absolute value that each network adds to a value of the context.
        largest, mean: largest and mean absolute difference between their outputs.
    """

    width: int
    side: str
    first: float
    second: float
    largest: float
    mean: float


@dataclass(frozen=True)
class Comparison:
    """The differences of two networks."""

    facts: tuple[FactDifference, ...]
    weights: tuple[WeightDistance, ...]
    outputs: tuple[OutputDistance, ...]

    @property
    def is_same(self) -> bool:
        """Whether both give exactly the same outputs."""
        return not any(output.largest for output in self.outputs)


def compare(first: Hypernetwork, second: Hypernetwork) -> Comparison:
    """Compare two networks in evaluation mode, float32 on the CPU.

    The contexts are 256 normal random vectors of each width that either network has, always the same ones; a width
    that a network lacks passes through it unchanged.
    """
    widths = tuple(dict.fromkeys([*first.widths, *second.widths]))
    return Comparison(
        facts=tuple(_facts(first, second)),
        weights=tuple(one for width in widths for one in _weights(first, second, width)),
        outputs=tuple(one for width in widths for one in _outputs(first, second, width)),
    )


def _facts(first: Hypernetwork, second: Hypernetwork) -> Iterator[FactDifference]:
    both = [_facts_of(network) for network in (first, second)]
    for fact, value in both[0].items():
        if value != both[1][fact]:
            yield FactDifference(fact, value, both[1][fact])


def _facts_of(network: Hypernetwork) -> dict[str, str]:
    facts = {"widths": ", ".join(map(str, network.widths))}
    for name in _STRUCTURE:
        value = getattr(network.structure, name)
        facts[name] = ", ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else _word(value)
    metadata = network.metadata
    return {**facts, "step": str(metadata.step), "checkpoint": metadata.sd_checkpoint_name or "unknown"}


def _word(value: bool | str) -> str:
    return value if isinstance(value, str) else "yes" if value else "no"


def _weights(first: Hypernetwork, second: Hypernetwork, width: int) -> Iterator[WeightDistance]:
    for index, side in enumerate("kv"):
        ours, theirs = (
            dict(_named_weights(network.pair(width)[index])) if width in network.widths else {}
            for network in (first, second)
        )
        for name in dict.fromkeys([*ours, *theirs]):
            yield _distance(width, side, name, ours.get(name), theirs.get(name))


def _named_weights(module: HypernetworkModule) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights by layer; the numbers in a file also count activations and dropout, which have none."""
    layer = 0
    for part in module.linear:
        layer += isinstance(part, (nn.Linear, ResidualBlock))
        norm = "norm " if isinstance(part, nn.LayerNorm) else ""
        for name, weight in part.state_dict().items():
            yield f"layer {layer} {norm}{name}", weight


def _distance(width: int, side: str, name: str, first: Tensor | None, second: Tensor | None) -> WeightDistance:
    norms = [None if one is None else float(one.double().norm()) for one in (first, second)]
    relative = cosine = None
    if first is not None and second is not None and first.shape == second.shape:
        ours, theirs = first.double().flatten(), second.double().flatten()
        if norms[0]:
            relative = float((theirs - ours).norm()) / norms[0]
        elif not norms[1]:
            relative = 0.0
        if norms[0] and norms[1]:
            cosine = max(-1.0, min(1.0, float(ours @ theirs) / (norms[0] * norms[1])))
    return WeightDistance(width, side, name, norms[0], norms[1], relative, cosine)


@torch.inference_mode()
def _outputs(first: Hypernetwork, second: Hypernetwork, width: int) -> Iterator[OutputDistance]:
    context = torch.randn(1, CONTEXTS, width, generator=torch.Generator().manual_seed(_SEED))
    for side, ours, theirs in zip("kv", first.transform(context), second.transform(context), strict=True):
        difference = (ours - theirs).abs()
        yield OutputDistance(
            width,
            side,
            float((ours - context).abs().mean()),
            float((theirs - context).abs().mean()),
            float(difference.max()),
            float(difference.mean()),
        )
