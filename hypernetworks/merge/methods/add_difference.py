"""A network plus the difference of two others."""

from __future__ import annotations

from torch import Tensor

from ..expected import ONE_DIFFERENCE
from ..method import merge_method
from ..tensorwise import Tensors, tensor_by_tensor
from ..weights import Multiplier


@merge_method(
    "add_difference",
    label="Add difference A + m (B − C)",
    summary="adds what the second network has beyond the third to the first one",
    order=20,
    counts=(3, 3),
    weights=Multiplier(),
    expected=ONE_DIFFERENCE,
)
@tensor_by_tensor
def add_difference(inputs: Tensors) -> Tensor:
    """Return A + m (B - C), with m the weight of B.

    Ilharco et al., "Editing Models with Task Arithmetic", 2022 (arXiv:2212.04089).
    """
    first, second, third = inputs.tensors
    return first + inputs.weights[1] * (second - third)
