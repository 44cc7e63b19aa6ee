"""Which methods can merge given networks, which cannot and why; known before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ..base.errors import MergeError
from ..network.hypernetwork import Hypernetwork
from ..network.structure import Structure
from . import exact, methods
from .inputs import SIDES, Inputs, Options, check_inputs

_FIELDS = ("activation", "layer_norm", "activate_output", "skip_connection", "upsample_linear")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a method would do with given networks.

    Attributes:
        method: its name.
        reason: one sentence: what comes out, or why it cannot be.
        structure: of the result; None where the method cannot merge these networks.
    """

    method: str
    reason: str
    structure: Structure | None

    @property
    def possible(self) -> bool:
        """Whether the method can merge the networks."""
        return self.structure is not None


def plan(networks: Iterable[tuple[Hypernetwork, float]], method: str, options: Options | None = None) -> Plan:
    """Tell what `method` would do with the networks and weights, without merging.

    Raises:
        MergeError: the method is unknown, or the weights or blocks are wrong whatever the method.
    """
    inputs = check_inputs(networks, options or Options())
    summary = _entry(method).summary
    try:
        structure = result_structure(inputs, method)
    except MergeError as reason:
        return Plan(method, str(reason), None)
    layers = f"layer_structure {list(structure.layer_structure)}, activation {structure.activation}"
    size_mb = structure.parameter_count(inputs.widths) * 4 / 1e6
    return Plan(method, f"{summary}; the result has {layers} and {size_mb:.1f} MB in float32", structure)


def plans(networks: Iterable[tuple[Hypernetwork, float]], options: Options | None = None) -> tuple[Plan, ...]:
    """Tell for every method what it would do; raises MergeError for wrong weights or blocks."""
    pairs = list(networks)
    return tuple(plan(pairs, method, options) for method in method_names())


def method_names() -> tuple[str, ...]:
    """List all methods, those that work tensor by tensor first."""
    return (*methods.METHODS, *exact.METHODS)


def result_structure(inputs: Inputs, method: str) -> Structure:
    """Give the structure that `method` makes of the networks; raises MergeError with the reason where it cannot."""
    entry = _entry(method)
    if isinstance(entry, exact.ExactMethod):
        return entry.structure(inputs)
    fewest, most = entry.counts
    if not fewest <= len(inputs.networks) <= most:
        wanted = f"exactly {fewest}" if fewest == most else f"at least {fewest}"
        raise MergeError(f"{method} needs {wanted} networks, not {len(inputs.networks)}")
    _check_same_form(inputs)
    for width in inputs.widths:
        for side in range(len(SIDES)):
            _check_weights(inputs, entry, inputs.block(width, bool(side)))
    first = inputs.networks[0].structure
    same_dropout = all(network.structure.dropout_structure == first.dropout_structure for network in inputs.networks)
    return dataclasses.replace(
        first, zero_last_layer=False, dropout_structure=first.dropout_structure if same_dropout else ()
    )


def _entry(method: str) -> methods.Method | exact.ExactMethod:
    entry = methods.METHODS.get(method) or exact.METHODS.get(method)
    if entry is None:
        raise MergeError(f"the method {method!r} is unknown, the choices are {', '.join(method_names())}")
    return entry


def _check_same_form(inputs: Inputs) -> None:
    """Raise MergeError, with names, where the tensors of two networks do not stand for the same thing."""
    first, first_name = inputs.networks[0], inputs.names[0]
    for name, network in zip(inputs.names[1:], inputs.networks[1:], strict=True):
        if set(network.widths) != set(first.widths):
            both = f"{name} has the widths {list(network.widths)} and {first_name} {list(first.widths)}"
            raise MergeError(f"{both}, so their weights do not match")
        ours, others = first.structure, network.structure
        if any(ours.layer_widths(width) != others.layer_widths(width) for width in first.widths):
            layers = f"{list(others.layer_structure)} and {first_name} {list(ours.layer_structure)}"
            raise MergeError(f"{name} has the layer_structure {layers}, so their weights do not match")
        for field in _FIELDS:
            if field == "activate_output" and ours.activation == "linear":
                continue
            if getattr(ours, field) != getattr(others, field):
                values = f"{getattr(others, field)} and {first_name} {getattr(ours, field)}"
                raise MergeError(f"{name} has {field} {values}, so their weights do not mean the same")


def _check_weights(inputs: Inputs, method: methods.Method, weights: tuple[float, ...]) -> None:
    if method.weights == "from base" and weights[0] != 1:
        raise MergeError(
            f"{inputs.names[0]} is the base that the differences of the others are added to, so its weight must be 1"
        )
    if method.weights == "difference" and (weights[0] != 1 or abs(weights[2]) not in {1, abs(weights[1])}):
        roles = f"{inputs.names[0]} must have the weight 1 and {inputs.names[2]} 1 or the weight of {inputs.names[1]}"
        raise MergeError(f"in A + m (B - C) the weight of {inputs.names[1]} is m, so {roles}")
