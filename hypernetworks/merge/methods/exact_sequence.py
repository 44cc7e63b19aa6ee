"""Exact sequence: affine networks in a row are multiplied out into one matrix and one vector for each width."""

from __future__ import annotations

import torch
from torch import Tensor

from ...network.affine import check_affine, multiply_out
from ...network.structure import Structure
from ..expected import SEQUENCE
from ..inputs import Inputs
from ..method import Block, merge_method
from ..structures import AFFINE
from ..weights import Strengths


def _structure(inputs: Inputs) -> Structure:
    """Return the structure of affine networks multiplied out; raises MergeError for one that is not affine."""
    for name, network in zip(inputs.names, inputs.networks, strict=True):
        check_affine(network.structure, name)
    return AFFINE


@merge_method(
    "exact_sequence",
    label="Exact sequence (one after the other)",
    summary="gives the output of the networks one after the other, each at its strength",
    order=70,
    weights=Strengths(),
    expected=SEQUENCE,
    exact=True,
    structure=_structure,
)
def exact_sequence(block: Block) -> tuple[Tensor, Tensor]:
    """Multiply x + s1 (W1 x + b1), followed by the other networks in the same form, out into x + (W x + b)."""
    weight = torch.zeros(block.width, block.width, dtype=torch.float64)
    bias = torch.zeros(block.width, dtype=torch.float64)
    for network, strength in zip(block.inputs.networks, block.weights, strict=True):
        if block.width not in network.widths:
            continue
        module = network.pair(block.width)[int(block.for_v)]
        matrix, vector = (tensor.cpu() * strength for tensor in multiply_out(module))
        # Only what is added to x is kept: near 0 a product that includes the identity would lose digits.
        weight, bias = weight + matrix + matrix @ weight, bias + vector + matrix @ bias
    return weight, bias
