"""Merges hypernetworks into one, by a method of the registry, and keeps the recipe in the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..base.errors import MergeError
from ..network.hypernetwork import Hypernetwork, Metadata
from .inputs import Inputs, check_inputs
from .merge_options import Options
from .method import Method
from .parts import parts
from .plan import Plan, method_names, method_of, plan, plans, result_structure

__all__ = ["MergeError", "Options", "Plan", "merge", "method_names", "plan", "plans"]


@torch.no_grad()
def merge(
    networks: Iterable[tuple[Hypernetwork, float]], method: str = "weighted_sum", options: Options | None = None
) -> Hypernetwork:
    """Merge networks, each with its weight, into a new one, float32 on the CPU; the networks do not change.

    What a method does, and what the weights mean to it, is described in its file in the room `methods`.

    The recipe is kept as `metadata.training["merge"]`; the new network has no name yet.

    Args:
        networks: pairs of network and weight, in order; messages use the names of their metadata.
        method: one of `method_names()`.
        options: block weights, and the options of the methods.

    Raises:
        MergeError: the method cannot merge these networks, with their names and the reason, or an option is wrong.
    """
    inputs = check_inputs(networks, options or Options())
    chosen = method_of(method)
    sides: dict[int, list[dict[str, Tensor]]] = {}
    for part in parts(inputs, chosen):
        sides.setdefault(part.width, []).append(part.state)
    pairs = {width: (states[0], states[1]) for width, states in sides.items()}
    return Hypernetwork.from_tensors(result_structure(inputs, chosen), pairs, _metadata(inputs, chosen))


def _metadata(inputs: Inputs, method: Method) -> Metadata:
    checkpoints = {(network.metadata.sd_checkpoint, network.metadata.sd_checkpoint_name) for network in inputs.networks}
    checkpoint, checkpoint_name = checkpoints.pop() if len(checkpoints) == 1 else (None, None)
    return Metadata(
        sd_checkpoint=checkpoint, sd_checkpoint_name=checkpoint_name, training={"merge": _recipe(inputs, method)}
    )


def _recipe(inputs: Inputs, method: Method) -> dict[str, Any]:
    """Return how the result was made, as plain values; networks that are merges include their own recipe."""
    recipe: dict[str, Any] = {"method": method.name, "networks": []}
    for network, weight in zip(inputs.networks, inputs.weights, strict=True):
        entry: dict[str, Any] = {"name": network.metadata.name, "step": network.metadata.step, "weight": weight}
        if "merge" in network.metadata.training:
            entry["merge"] = network.metadata.training["merge"]
        recipe["networks"].append(entry)
    recipe |= {own.name: getattr(inputs.options, own.name) for own in method.options}
    if inputs.options.block_weights:
        recipe["block_weights"] = {
            block: [float(weight) for weight in weights] for block, weights in inputs.options.block_weights.items()
        }
    return recipe
