"""Members that no registry has: a file each, as the package would have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.merge.method import METHODS

from tests.support import rooms

MERGE = '''
"""The middle."""

import math

from ...base.errors import MergeError
from ..comparison import Comparison
from ..method import merge_method
from ..own_options import DENSITY
from ..structures import shared_structure
from ..tensors import Tensors, tensor_by_tensor
from ..weights import FromBase


def _structure(inputs):
    for name, network in zip(inputs.names, inputs.networks, strict=True):
        if network.structure.layer_norm:
            raise MergeError(f"{name} has LayerNorm, and the middle has none")
    return shared_structure(inputs)


def _between(networks, context, weights):
    first, *others = (network(context, 1.0) - context for network in networks)
    return first + sum(0.5 * (other - first) * weight for other, weight in zip(others, weights[1:], strict=True))


@merge_method(
    "middle",
    label="Middle (half the way)",
    summary="goes half the way",
    order=45,
    counts=(2, math.inf),
    weights=FromBase(),
    options=(DENSITY,),
    comparison=Comparison("what lies between them", _between),
    structure=_structure,
)
@tensor_by_tensor
def middle(inputs: Tensors):
    """Go as far as twice the density."""
    return inputs.tensors[0] + sum(2 * inputs.options.density * part * weight for part, weight in inputs.differences())
'''

MERGE_WITH_AN_OPTION = '''
"""A merge with an option that no other has."""

from ...base.options import setting
from ..comparison import WEIGHTED_SUM
from ..method import merge_method
from ..own_options import OwnOption, is_number
from ..tensors import Tensors, tensor_by_tensor
from ..weights import Weights

SLIDE = OwnOption(
    "slide",
    setting(0.5, "Slide", "Where between the networks.", minimum=0, maximum=1),
    lambda value: is_number(value) and 0 <= value <= 1,
    "a number from 0 to 1",
)


@merge_method(
    "slide",
    label="Slide (between the networks)",
    summary="slides from one network to the other",
    order=99,
    counts=(2, 2),
    weights=Weights(),
    options=(SLIDE,),
    comparison=WEIGHTED_SUM,
)
@tensor_by_tensor
def slide(inputs: Tensors):
    """Slide."""
    return inputs.tensors[0].lerp(inputs.tensors[1], inputs.options.slide)
'''


def merge_method(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the merge method `middle` for one test."""
    rooms.keep(METHODS, monkeypatch)
    room = f"{rooms.PACKAGE}.merge.methods"
    rooms.put_in(room, MERGE, folder / "middle.py", monkeypatch)
