"""DARE: a random part of the differences from the first network."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..expected import DIFFERENCES
from ..method import merge_method
from ..method_options import DENSITY, SEED
from ..tensorwise import Tensors, added, tensor_by_tensor
from ..weights import FromBase


@merge_method(
    "dare",
    label="DARE (differences from A, a random part)",
    summary="adds the differences from the first network, a random part dropped",
    order=40,
    counts=(2, math.inf),
    weights=FromBase(),
    options=(DENSITY, SEED),
    expected=DIFFERENCES,
)
@tensor_by_tensor
def dare(inputs: Tensors) -> Tensor:
    """Add each difference to the first network, with a random part of it dropped and the rest enlarged to make up.

    Yu et al., "Language Models are Super Mario: Absorbing Abilities from Homologous Models as a Free Lunch", 2023
    (arXiv:2311.03099). `density` is the share kept, and 1 / density the factor.
    """
    density = inputs.options.density
    parts = []
    for difference, weight in inputs.differences():
        kept = torch.rand(difference.shape, generator=inputs.generator) < density
        parts.append((difference * kept / density, weight))
    return added(inputs.tensors[0], parts)
