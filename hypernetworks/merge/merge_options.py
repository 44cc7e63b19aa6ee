"""The options of a merge in code, besides the networks, their weights and the method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ..base.errors import MergeError
from ..base.registry import gather, with_options
from .method import own_options

#: The options that only some methods have.
OWN = own_options()
FIELDS = gather({own.name: own.setting} for own in OWN)


@dataclasses.dataclass(frozen=True)
@with_options(FIELDS, after="block_weights")
class Options:
    """Settings of the merge methods: `block_weights`, and each option that a method has, such as `rank=16`.

    Wrong values raise MergeError with the field's name.

    Attributes:
        block_weights: weights that replace the networks' own in some blocks: `"768.k"` for one of the pair of a
            width, `"768"` for a width, `"k"` or `"v"` for one of every pair, each with one weight per network; the
            most specific key counts.
    """

    block_weights: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for own in OWN:
            value = getattr(self, own.name)
            if not own.accepts(value):
                raise MergeError(f"{own.name}: must be {own.wanted}, not {value!r}")
