"""Affine networks: an MLP without anything nonlinear is one matrix and one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..base.errors import MergeError
from .hypernetwork import Hypernetwork, HypernetworkModule
from .structure import Structure


def is_affine(structure: Structure) -> bool:
    """Tell whether every MLP of this structure is affine outside training: no activation, LayerNorm or residual block.

    A single layer whose output is not activated is affine whatever activation the file names.
    """
    if structure.layer_norm or structure.skip_connection:
        return False
    single_layer = len(structure.layer_structure) == 2  # noqa: PLR2004 - an input and an output
    return structure.activation == "linear" or (single_layer and not structure.activate_output)


def affine_map(network: Hypernetwork, width: int, for_v: bool) -> tuple[Tensor, Tensor]:
    """Give what an affine network adds to the input of `to_k`, or with `for_v` of `to_v`, as one affine map.

    At strength s the network turns x into x + s (W x + b), so folded into a linear layer M it is M (1 + s W) and
    M s b. Layers are multiplied out in float64 and rounded once.

    Returns:
        W [width, width] and b [width], on the device of the weights and in their dtype, at least float32.

    Raises:
        MergeError: the network is not affine, or has no such width.
    """
    if not is_affine(network.structure):
        raise MergeError(f"{network.metadata.name or 'the network'} is not affine, so it cannot be folded")
    if width not in network.widths:
        raise MergeError(f"{network.metadata.name or 'the network'} has no attention width {width}")
    module = network.pair(width)[int(for_v)]
    weight, bias = multiply_out(module)
    dtype = torch.promote_types(next(module.parameters()).dtype, torch.float32)
    return weight.to(dtype), bias.to(dtype)


@torch.no_grad()
def multiply_out(module: HypernetworkModule) -> tuple[Tensor, Tensor]:
    """Multiply the layers of one affine MLP into a matrix [width, width] and a vector [width], both float64."""
    layers = [layer for layer in module.linear if isinstance(layer, nn.Linear)]
    weight, bias = layers[0].weight.double(), layers[0].bias.double()
    for layer in layers[1:]:
        matrix = layer.weight.double()
        weight, bias = matrix @ weight, matrix @ bias + layer.bias.double()
    return weight, bias
