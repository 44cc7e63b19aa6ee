"""The weighted sum of the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from ..expected import WEIGHTED_SUM
from ..method import merge_method
from ..tensorwise import Tensors, added, tensor_by_tensor
from ..weights import Weights


@merge_method(
    "weighted_sum",
    label="Weighted sum",
    summary="adds up the weights of the networks",
    order=10,
    weights=Weights(),
    expected=WEIGHTED_SUM,
)
@tensor_by_tensor
def weighted_sum(inputs: Tensors) -> Tensor:
    """Sum the tensors, each times its network's weight, which is taken as it is.

    With weights that sum to 1 this is the averaging of Wortsman et al., "Model soups", 2022 (arXiv:2203.05482).
    """
    return added(torch.zeros_like(inputs.tensors[0]), zip(inputs.tensors, inputs.weights, strict=True))
