"""What one MLP adds to its input as a matrix and a vector, where it is affine; residual blocks included."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from .fold import is_affine, multiply_out
from .hypernetwork import HypernetworkModule
from .structure import Structure

#: Devices without float64.
_SINGLE = frozenset({"mps", "privateuseone"})


def exact_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype in which maps are multiplied out on `device`."""
    return torch.float32 if device.type in _SINGLE else torch.float64


@torch.no_grad()
def added_map(module: HypernetworkModule, structure: Structure) -> tuple[Tensor, Tensor] | None:
    """Give W [width, width] and b [width] with which `module` at strength 1 turns x into x + W x + b.

    None where it is not affine. On the device of the weights, in the dtype of `exact_dtype`.
    """
    device = next(module.parameters()).device
    dtype = exact_dtype(device)
    plain = module if dtype == torch.float64 else copy.deepcopy(module).cpu()
    if is_affine(structure):
        weight, bias = multiply_out(plain)
    elif structure.skip_connection and structure.activation == "linear" and not structure.layer_norm:
        weight, bias = _blocks(plain)
    else:
        return None
    return weight.to(device, dtype), bias.to(device, dtype)


def _blocks(module: HypernetworkModule) -> tuple[Tensor, Tensor]:
    """Multiply out affine residual blocks, whose result replaces the input instead of being added to it."""
    blocks = copy.deepcopy(module.linear).double().eval()
    device = next(blocks.parameters()).device
    identity = torch.eye(module.width, dtype=torch.float64, device=device)
    # Row i of what the blocks make of the unit vectors is their answer to unit vector i: the matrix, transposed.
    bias = blocks(torch.zeros_like(identity[:1]))
    return (blocks(identity) - bias - identity).t(), bias[0]
