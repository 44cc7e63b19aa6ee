"""Exact parallel: networks side by side are one wider network, its hidden layers block-diagonal, its last weighted."""

from __future__ import annotations

import math
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ...base.errors import MergeError
from ...network.affine import is_affine, multiply_out
from ...network.hypernetwork import HypernetworkModule
from ...network.structure import MAX_LAYERS, MAX_MULTIPLIER, Structure
from ..expected import WEIGHTED_SUM
from ..inputs import Inputs
from ..method import Block, merge_method
from ..structures import AFFINE
from ..weights import Weights

Layer: TypeAlias = tuple[Tensor, Tensor]
"""The weight [outputs, inputs] and bias [outputs] of one linear layer."""


def _structure(inputs: Inputs) -> Structure:
    """Return the structure that holds all networks side by side.

    Hidden widths add up; if no multiple of the attention width gives that sum for every width of the file, the
    next larger layer is used, whose spare values stay 0 and add nothing. An activated output becomes a hidden layer
    with one more linear layer after it, since weights cannot be applied through an activation. Affine networks of
    different depth become one affine map.

    Raises:
        MergeError: a network has LayerNorm, residual blocks, another activation or depth, or a layer is too large.
    """
    for name, network in zip(inputs.names, inputs.networks, strict=True):
        if network.structure.layer_norm:
            raise MergeError(f"{name} has LayerNorm, which mixes the values of a layer that must stay apart")
        if network.structure.skip_connection:
            raise MergeError(f"{name} has residual blocks, which one wider network cannot hold side by side")
    activations = [_activation(network.structure) for network in inputs.networks]
    depths = [len(_multipliers(network.structure)) for network in inputs.networks]
    for name, activation, depth in zip(inputs.names, activations, depths, strict=True):
        if activation != activations[0]:
            both = f"{name} has the activation {activation} and {inputs.names[0]} {activations[0]}"
            raise MergeError(f"{both}, but a network has one activation for all")
        if depth != depths[0] and activation != "linear":
            both = f"{name} has {depth} hidden layers and {inputs.names[0]} {depths[0]}"
            raise MergeError(f"{both} (an activated output counts as one), so their layers cannot stand side by side")
    if len(set(depths)) > 1:
        return AFFINE
    hidden = [_multiplier(inputs, index) for index in range(depths[0])]
    if len(hidden) + 2 > MAX_LAYERS:
        raise MergeError(f"the result would have more than {MAX_LAYERS} layers")
    return Structure(layer_structure=(1, *hidden, 1), activation=activations[0])


@merge_method(
    "exact_parallel",
    label="Exact parallel (sum of the outputs)",
    summary="gives x plus the weighted sum of what the networks add to x",
    order=60,
    weights=Weights(),
    expected=WEIGHTED_SUM,
    exact=True,
    structure=_structure,
)
def exact_parallel(block: Block) -> list[Tensor]:
    """Put the MLPs of one width side by side; a network without the width adds nothing."""
    chosen = [
        (network, weight)
        for network, weight in zip(block.inputs.networks, block.weights, strict=True)
        if block.width in network.widths
    ]
    weights = [weight for _, weight in chosen]
    modules = [(network.structure, network.pair(block.width)[int(block.for_v)]) for network, _ in chosen]
    if len({len(_multipliers(network.structure)) for network in block.inputs.networks}) > 1:
        stacks = [[multiply_out(module)] for _, module in modules]
    else:
        stacks = [_plain(form, module) for form, module in modules]
    sizes = block.structure.layer_widths(block.width)
    last = len(sizes) - 2
    layers = [
        _joined(
            [stack[index] for stack in stacks], (sizes[index], sizes[index + 1]), index == 0, index == last, weights
        )
        for index in range(last + 1)
    ]
    return [tensor for layer in layers for tensor in layer]


def _activation(structure: Structure) -> str:
    return "linear" if is_affine(structure) else structure.activation


def _multipliers(structure: Structure) -> tuple[float, ...]:
    """Return the hidden layers of a network rewritten without an activated output."""
    hidden = structure.layer_structure[1:-1]
    return (*hidden, 1) if _activates_output(structure) else hidden


def _activates_output(structure: Structure) -> bool:
    return structure.activate_output and structure.activation != "linear"


def _multiplier(inputs: Inputs, index: int) -> float:
    """Return the multiplier whose layer holds that hidden layer of all networks, for each width of the file.

    The format makes a layer of `int(width * multiplier)` values, so a fraction may round each width differently.
    """
    whole = math.fsum(_multipliers(network.structure)[index] for network in inputs.networks)
    needed = {
        width: sum(
            int(width * _multipliers(network.structure)[index])
            for network in inputs.networks
            if width in network.widths
        )
        for width in inputs.widths
    }
    least = max(size / width for width, size in needed.items())
    most = min((size + 1) / width for width, size in needed.items())
    candidates = (round(whole, 6), whole, least, (least + most) / 2)
    exact = (value for value in candidates if all(int(width * value) == size for width, size in needed.items()))
    multiplier = next(exact, max(whole, least))
    while any(int(width * multiplier) < size for width, size in needed.items()):
        multiplier = math.nextafter(multiplier, math.inf)
    if multiplier > MAX_MULTIPLIER:
        size = f"{multiplier:g} times the attention width"
        raise MergeError(f"a layer of the result would have {size}, more than the {MAX_MULTIPLIER} of the format")
    return int(multiplier) if multiplier == int(multiplier) else multiplier


def _plain(structure: Structure, module: HypernetworkModule) -> list[Layer]:
    """Return the linear layers, with the identity after an activated output."""
    layers = [(layer.weight.detach(), layer.bias.detach()) for layer in module.linear if isinstance(layer, nn.Linear)]
    if _activates_output(structure):
        layers.append((torch.eye(module.width), torch.zeros(module.width)))
    return layers


def _joined(layers: list[Layer], sizes: tuple[int, int], first: bool, last: bool, strengths: list[float]) -> Layer:
    """Join one layer of all networks: the first shares its input, the last its output, others are block-diagonal."""
    weight, bias = torch.zeros(sizes[1], sizes[0]), torch.zeros(sizes[1])
    row = column = 0
    for (matrix, vector), strength in zip(layers, strengths, strict=True):
        factor = strength if last else 1.0
        rows, columns = slice(row, row + matrix.shape[0]), slice(column, column + matrix.shape[1])
        weight[rows, columns] += matrix.to("cpu", torch.float32) * factor
        bias[rows] += vector.to("cpu", torch.float32) * factor
        row += 0 if last else matrix.shape[0]
        column += 0 if first else matrix.shape[1]
    return weight, bias
