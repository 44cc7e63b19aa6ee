"""Finds out which methods can merge given networks, which cannot and why, before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ..base.errors import MergeError
from ..base.options import as_text
from ..network.hypernetwork import Hypernetwork
from ..network.sizes import readable_bytes
from ..network.structure import Structure
from .inputs import SIDES, Inputs, check_inputs
from .merge_options import Options
from .method import METHODS, Method


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a method would do with given networks.

    Attributes:
        method: its name.
        reason: one sentence: the result, or why it is impossible.
        structure: structure of the result; None where the method cannot merge these networks.
    """

    method: str
    reason: str
    structure: Structure | None

    @property
    def possible(self) -> bool:
        """Whether the method can merge the networks."""
        return self.structure is not None


def plan(networks: Iterable[tuple[Hypernetwork, float]], method: str, options: Options | None = None) -> Plan:
    """Return what `method` would do with the networks and weights, without merging.

    Raises:
        MergeError: the method is unknown, or the weights or blocks are wrong for any method.
    """
    inputs = check_inputs(networks, options or Options())
    chosen = method_of(method)
    try:
        structure = result_structure(inputs, chosen)
    except MergeError as reason:
        return Plan(method, str(reason), None)
    layers = f"layer_structure [{as_text(structure.layer_structure)}], activation {structure.activation}"
    size = readable_bytes(structure.parameter_count(inputs.widths) * 4)
    return Plan(method, f"{chosen.summary}; the result has {layers} and {size} in float32", structure)


def plans(networks: Iterable[tuple[Hypernetwork, float]], options: Options | None = None) -> tuple[Plan, ...]:
    """Return the plan of every method; raises MergeError for wrong weights or blocks."""
    pairs = list(networks)
    return tuple(plan(pairs, method, options) for method in method_names())


def method_names() -> tuple[str, ...]:
    """Return the names of all methods."""
    return tuple(METHODS)


def method_of(name: str) -> Method:
    """Return the method called `name`; raises MergeError where there is none."""
    method = METHODS.get(name)
    if method is None:
        raise MergeError(f"the method {name!r} is unknown, the choices are {', '.join(METHODS)}")
    return method


def result_structure(inputs: Inputs, method: Method) -> Structure:
    """Return the structure of `method`'s result; raises MergeError with the reason where it cannot merge them."""
    fewest, most = method.counts
    if not fewest <= len(inputs.networks) <= most:
        wanted = f"exactly {fewest}" if fewest == most else f"at least {fewest}"
        raise MergeError(f"{method.name} needs {wanted} networks, not {len(inputs.networks)}")
    structure = method.structure(inputs)
    for width in inputs.widths:
        for side in range(len(SIDES)):
            method.weights.check(inputs.names, inputs.block(width, bool(side)))
    return structure
