"""Merge hypernetworks into one, by a method of the registry, with the recipe kept in the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..base.errors import MergeError
from ..files.format import is_finite
from ..network.hypernetwork import Hypernetwork, HypernetworkModule, Metadata
from ..network.structure import Structure
from . import exact, methods
from .inputs import SIDES, Inputs, Options, check_inputs
from .plan import Plan, method_names, plan, plans, result_structure

__all__ = ["Options", "Plan", "merge", "method_names", "plan", "plans"]


@torch.no_grad()
def merge(
    networks: Iterable[tuple[Hypernetwork, float]], method: str = "weighted_sum", options: Options | None = None
) -> Hypernetwork:
    """Merge networks, each with its weight, into a new one, float32 on the CPU; they themselves stay as they are.

    `weighted_sum` adds up weights, each times its network's weight. `add_difference` gives A + m (B - C) of three
    networks, m being the weight of B (A has the weight 1, C has 1 or m). `svd`, `dare` and `ties` add the differences
    of all others from the first network, whose weight is 1, to it. `exact_parallel` and `exact_sequence` merge what
    the networks do: x plus the sum of weight times what each adds, which with weights of sum 1 is the weighted sum of
    the outputs; or one after the other, each with its weight as strength.

    The recipe is kept as `metadata.training["merge"]`; the name is left to the file.

    Args:
        networks: in order; the names in messages are those of their metadata.
        method: one of `method_names()`.
        options: weights per block, rank, density and seed.

    Raises:
        MergeError: the method cannot merge these networks, with their names and the reason, or a wrong setting.
    """
    inputs = check_inputs(networks, options or Options())
    structure = result_structure(inputs, method)
    generator = torch.Generator().manual_seed(inputs.options.seed)
    pairs = {}
    for width in inputs.widths:
        with torch.device("meta"):
            names = list(HypernetworkModule(width, structure).state_dict())
        states = []
        for side in range(len(SIDES)):
            tensors = _tensors(inputs, method, structure, (width, bool(side)), generator)
            if not all(is_finite(tensor) for tensor in tensors):
                raise MergeError(f"the weights of the result are not finite at {width}.{SIDES[side]}")
            states.append(dict(zip(names, tensors, strict=True)))
        pairs[width] = (states[0], states[1])
    return Hypernetwork.from_tensors(structure, pairs, _metadata(inputs, method))


def _tensors(
    inputs: Inputs, method: str, structure: Structure, block: tuple[int, bool], generator: torch.Generator
) -> list[Tensor]:
    """Give the merged weights of one MLP in the order of the format."""
    width, for_v = block
    if method in exact.METHODS:
        layers = exact.METHODS[method].layers(inputs, structure, width, for_v)
        return [tensor.to("cpu", torch.float32) for layer in layers for tensor in layer]
    function = methods.METHODS[method].merge
    states = [network.pair(width)[int(for_v)].state_dict().values() for network in inputs.networks]
    weights = inputs.block(width, for_v)
    return [
        function(
            methods.Tensors([tensor.to("cpu", torch.float32) for tensor in tensors], weights), inputs.options, generator
        )
        for tensors in zip(*states, strict=True)
    ]


def _metadata(inputs: Inputs, method: str) -> Metadata:
    checkpoints = {(network.metadata.sd_checkpoint, network.metadata.sd_checkpoint_name) for network in inputs.networks}
    checkpoint, checkpoint_name = checkpoints.pop() if len(checkpoints) == 1 else (None, None)
    return Metadata(
        sd_checkpoint=checkpoint, sd_checkpoint_name=checkpoint_name, training={"merge": _recipe(inputs, method)}
    )


def _recipe(inputs: Inputs, method: str) -> dict[str, Any]:
    """Write down how the result was made, in plain values; networks that are merges bring their own recipe."""
    recipe: dict[str, Any] = {"method": method, "networks": []}
    for network, weight in zip(inputs.networks, inputs.weights, strict=True):
        entry: dict[str, Any] = {"name": network.metadata.name, "step": network.metadata.step, "weight": weight}
        if "merge" in network.metadata.training:
            entry["merge"] = network.metadata.training["merge"]
        recipe["networks"].append(entry)
    used = {"svd": ("rank",), "dare": ("density", "seed"), "ties": ("density",)}.get(method, ())
    recipe |= {name: getattr(inputs.options, name) for name in used}
    if inputs.options.block_weights:
        recipe["block_weights"] = {
            block: [float(weight) for weight in weights] for block, weights in inputs.options.block_weights.items()
        }
    return recipe
