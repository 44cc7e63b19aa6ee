"""Merges a composition into one network, where that is exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from ..base.errors import CompositionError, MergeError
from ..compose import Composition, Node, Sequence, Single
from ..network.hypernetwork import Hypernetwork, Metadata
from ..network.sizes import readable_bytes
from . import merge, plan
from .plan import Plan

_Combine = Callable[[list[tuple[Hypernetwork, float]], str], Hypernetwork]
_METHOD = "composition"


def merge_composition(composition: Composition, networks: Mapping[str, Hypernetwork]) -> Hypernetwork:
    """Return one network, float32 on the CPU, with the outputs of a composition.

    Parallel branches become one wider network, sequences of affine networks one affine map. The recipe is kept as
    `metadata.training["merge"]`; the network has no name yet.

    Raises:
        CompositionError: it names a network that is not in `networks`.
        MergeError: a part of it cannot be merged exactly; says why.
    """
    composition.check(networks)
    result = _fold(composition, networks, merge)
    recipe = {
        "method": _METHOD,
        "composition": composition.as_hns(),
        "networks": [
            {"name": name, "step": networks[name].metadata.step, **_own_recipe(networks[name])}
            for name in composition.names
        ],
    }
    return Hypernetwork.from_tensors(
        result.structure,
        {width: tuple(module.state_dict() for module in result.pair(width)) for width in result.widths},  # type: ignore[misc]
        Metadata(training={"merge": recipe}),
    )


def plan_composition(composition: Composition, networks: Mapping[str, Hypernetwork]) -> Plan:
    """Return what `merge_composition` would do, from the structures alone, without merging.

    Raises:
        CompositionError: it names a network that is not in `networks`.
    """
    composition.check(networks)
    try:
        result = _fold(composition, networks, _outline)
    except MergeError as reason:
        return Plan(_METHOD, str(reason), None)
    structure = result.structure
    layers = f"layer_structure {list(structure.layer_structure)}, activation {structure.activation}"
    size = readable_bytes(structure.parameter_count(result.widths) * 4)
    return Plan(_METHOD, f"the one file has {layers} and {size} in float32", structure)


def _fold(composition: Composition, networks: Mapping[str, Hypernetwork], combine: _Combine) -> Hypernetwork:
    network, strength = _Fold(composition.resolve, networks, combine).node(composition.root)
    if strength == 1:
        # A single network as it is, but a copy, so that naming the result does not rename the network.
        return combine([(network, 1.0)], "weighted_sum")
    return combine([(network, strength)], "exact_parallel")


class _Fold:
    """Merges a tree from the leaves up; each node becomes a network and its strength."""

    def __init__(
        self, resolve: Mapping[str, Composition], networks: Mapping[str, Hypernetwork], combine: _Combine
    ) -> None:
        self.resolve, self.networks, self.combine = resolve, networks, combine

    def node(self, node: Node) -> tuple[Hypernetwork, float]:
        if isinstance(node, Single):
            if node.name not in self.resolve:
                return self.networks[node.name], node.strength
            network, strength = self.node(self.resolve[node.name].root)
            return network, strength * node.strength
        if isinstance(node, Sequence):
            return self._named(node, self.combine([self.node(step) for step in node.steps], "exact_sequence")), 1.0
        pairs = [
            (network, strength * share)
            for branch, share in zip(node.branches, node.shares, strict=True)
            for network, strength in [self.node(branch)]
        ]
        return self._named(node, self.combine(pairs, "exact_parallel")), 1.0

    def _named(self, node: Node, network: Hypernetwork) -> Hypernetwork:
        """Return the network of a part, named by the part's text for messages."""
        part = Composition(node)
        try:
            network.metadata.name = part.as_text()
        except CompositionError:  # a name with a line break
            network.metadata.name = part.as_hns()
        return network


def _outline(pairs: list[tuple[Hypernetwork, float]], method: str) -> Hypernetwork:
    """Return the result of `merge` on the meta device."""
    made = plan(pairs, method)
    if made.structure is None:
        raise MergeError(made.reason)
    widths = tuple(dict.fromkeys(width for network, _ in pairs for width in network.widths))
    with torch.device("meta"):
        return Hypernetwork(made.structure, widths)


def _own_recipe(network: Hypernetwork) -> dict[str, object]:
    recipe = network.metadata.training.get("merge")
    return {} if recipe is None else {"merge": recipe}
