"""Affine networks: an MLP without anything nonlinear is one matrix and one vector."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..base.errors import MergeError
from .hypernetwork import HypernetworkModule
from .structure import Structure

#: Types of devices without float64.
_SINGLE = frozenset({"mps", "privateuseone"})


def why_not_affine(structure: Structure) -> str:
    """Return what keeps every MLP of this structure from being affine outside training; empty where it is affine.

    A single layer whose output is not activated is affine, whatever activation the file names.
    """
    if structure.skip_connection:
        return "residual blocks"
    if structure.layer_norm:
        return "LayerNorm"
    single_layer = len(structure.layer_structure) == 2  # noqa: PLR2004 - an input and an output
    is_bent = structure.activation != "linear" and (structure.activate_output or not single_layer)
    return f"the activation {structure.activation}" if is_bent else ""


def is_affine(structure: Structure) -> bool:
    """Tell whether every MLP of this structure is affine outside training."""
    return not why_not_affine(structure)


def check_affine(structure: Structure, name: str = "the network") -> None:
    """Raise MergeError unless the network of this structure, called `name`, is affine."""
    reason = why_not_affine(structure)
    if reason:
        raise MergeError(f"{name} has {reason}, and only affine networks can be multiplied out")


@torch.no_grad()
def multiply_out(module: HypernetworkModule) -> tuple[Tensor, Tensor]:
    """Multiply the layers of one affine MLP out and return W [width, width] and b [width], both float64.

    At strength s the MLP turns x into x + s (W x + b), so in front of a linear layer M it makes M (1 + s W) and M s b.
    """
    layers = [layer for layer in module.linear if isinstance(layer, nn.Linear)]
    weight, bias = layers[0].weight.double(), layers[0].bias.double()
    for layer in layers[1:]:
        matrix = layer.weight.double()
        weight, bias = matrix @ weight, matrix @ bias + layer.bias.double()
    return weight, bias


@torch.no_grad()
def added_map(module: HypernetworkModule, structure: Structure) -> tuple[Tensor, Tensor] | None:
    """Return W [width, width] and b [width] with which `module` at strength 1 turns x into x + W x + b.

    Residual blocks that are affine are multiplied out too; None for an MLP that is not affine.

    Returns:
        Tensors on the device of the weights, in float64 where the device has it, else in float32.
    """
    device = next(module.parameters()).device
    dtype = torch.float32 if device.type in _SINGLE else torch.float64
    plain = module if dtype == torch.float64 else copy.deepcopy(module).cpu()
    if is_affine(structure):
        weight, bias = multiply_out(plain)
    elif structure.skip_connection and structure.activation == "linear" and not structure.layer_norm:
        weight, bias = _multiply_blocks_out(plain)
    else:
        return None
    return weight.to(device, dtype), bias.to(device, dtype)


def _multiply_blocks_out(module: HypernetworkModule) -> tuple[Tensor, Tensor]:
    """Multiply out affine residual blocks, whose result replaces the input instead of being added to it."""
    blocks = copy.deepcopy(module.linear).double().eval()
    device = next(blocks.parameters()).device
    identity = torch.eye(module.width, dtype=torch.float64, device=device)
    # Row i of the output for the unit vectors belongs to unit vector i: this is the matrix, transposed.
    bias = blocks(torch.zeros_like(identity[:1]))
    return (blocks(identity) - bias - identity).t(), bias[0]
