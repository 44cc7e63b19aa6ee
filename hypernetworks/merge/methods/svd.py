"""Differences from the first network, cut to a rank."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...base.options import setting
from ..expected import DIFFERENCES
from ..method import merge_method
from ..method_options import OwnOption, is_whole
from ..tensorwise import Tensors, added, tensor_by_tensor
from ..weights import FromBase

RANK = OwnOption(
    "rank",
    setting(16, "Rank", "How much detail of each difference is kept; more is more exact.", minimum=1, maximum=16384),
    lambda value: is_whole(value) and value >= 1,
    "a whole number of at least 1",
)


@merge_method(
    "svd",
    label="SVD (differences from A, cut to a rank)",
    summary="adds the differences from the first network, cut to a rank",
    order=30,
    counts=(2, math.inf),
    weights=FromBase(),
    options=(RANK,),
    expected=DIFFERENCES,
)
@tensor_by_tensor
def svd(inputs: Tensors) -> Tensor:
    """Add each difference to the first network, matrices cut to `rank` by their largest singular values.

    The best approximation of that rank by Eckart and Young, "The approximation of one matrix by another of lower
    rank", 1936. Vectors are added whole.
    """
    parts = [(_truncate(difference, inputs.options.rank), weight) for difference, weight in inputs.differences()]
    return added(inputs.tensors[0], parts)


def _truncate(matrix: Tensor, rank: int) -> Tensor:
    if matrix.dim() < 2 or rank >= min(matrix.shape):  # noqa: PLR2004 - a vector has no rank to cut
        return matrix
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    return (left[:, :rank] * sizes[:rank]) @ right[:rank]
