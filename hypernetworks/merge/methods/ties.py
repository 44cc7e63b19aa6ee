"""TIES: the differences from the first network as far as they agree."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..expected import DIFFERENCES
from ..method import merge_method
from ..method_options import DENSITY
from ..tensorwise import Tensors, tensor_by_tensor
from ..weights import FromBase


@merge_method(
    "ties",
    label="TIES (differences from A that agree)",
    summary="adds the differences from the first network where they agree in sign",
    order=50,
    counts=(2, math.inf),
    weights=FromBase(),
    options=(DENSITY,),
    expected=DIFFERENCES,
)
@tensor_by_tensor
def ties(inputs: Tensors) -> Tensor:
    """Add the mean of those differences that agree in sign to the first network.

    Yadav et al., "TIES-Merging: Resolving Interference When Merging Models", 2023 (arXiv:2306.01708). Of each
    difference the share `density` of the largest values is kept; each value gets the sign of the weighted sum, and the
    mean of the values with that sign, weighted and times the sum of all weights (the paper's lambda).
    """
    differences = inputs.differences()
    scaled = torch.stack([_trim(difference, inputs.options.density) * weight for difference, weight in differences])
    sizes = torch.tensor([abs(weight) for _, weight in differences]).reshape(-1, *[1] * inputs.tensors[0].dim())
    agrees = (scaled.sign() == scaled.sum(dim=0).sign()) & (scaled != 0)
    share = (sizes * agrees).sum(dim=0)
    mean = (scaled * agrees).sum(dim=0) / torch.where(share > 0, share, torch.ones_like(share))
    return inputs.tensors[0] + mean * sizes.sum()


def _trim(tensor: Tensor, density: float) -> Tensor:
    """Return the tensor with only the share `density` of its largest values, at least one, and zeros."""
    count = max(1, round(tensor.numel() * density))
    if count >= tensor.numel():
        return tensor
    flat = torch.zeros(tensor.numel())
    kept = tensor.abs().flatten().topk(count).indices
    flat[kept] = tensor.flatten()[kept]
    return flat.reshape(tensor.shape)
