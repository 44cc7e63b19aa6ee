"""Structures of results: the one that networks merged tensor by tensor share, and that of an affine map."""

from __future__ import annotations

import dataclasses

from ..base.errors import MergeError
from ..network.structure import Structure
from .inputs import Inputs

AFFINE = Structure(layer_structure=(1, 1))
"""The smallest structure of the format: one matrix and one vector."""

_FIELDS = ("activation", "layer_norm", "activate_output", "skip_connection", "upsample_linear")


def shared_structure(inputs: Inputs) -> Structure:
    """Return the structure that all networks share, with their dropout if they share that too.

    Raises:
        MergeError: the tensors of two networks do not correspond; names them.
    """
    _check_form(inputs)
    first = inputs.networks[0].structure
    same_dropout = all(network.structure.dropout_structure == first.dropout_structure for network in inputs.networks)
    return dataclasses.replace(
        first, zero_last_layer=False, dropout_structure=first.dropout_structure if same_dropout else ()
    )


def _check_form(inputs: Inputs) -> None:
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
