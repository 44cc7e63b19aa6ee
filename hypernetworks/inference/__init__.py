"""Chains of networks at generation: reduced to the fewest products, and computed once for each text."""

from .reduced import Affine, Function, reduce, split
from .sides import Sides
from .text_cache import TextCache, has_dropout, is_random, key_of, state_of, weights_of

__all__ = [
    "Affine",
    "Function",
    "Sides",
    "TextCache",
    "has_dropout",
    "is_random",
    "key_of",
    "reduce",
    "split",
    "state_of",
    "weights_of",
]
