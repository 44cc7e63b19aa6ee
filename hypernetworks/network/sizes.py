"""The size of a network before it is made: parameters, files, and the memory that training it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..base.errors import SettingsError
from .file_forms import weight_bytes
from .structure import Structure

MAX_PARAMETERS = 2_000_000_000
"""8 GB in fp32; a larger one is more likely a typing error than intended."""

_ADAMW_COPIES = 2
_GB = 10**9


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network.

    Attributes:
        parameters: number of weights.
        file_bytes: size of its weights by dtype, see `weight_bytes`.
        training_bytes: weights, gradients and the two averages of AdamW, all fp32; model and pictures come on top.
    """

    parameters: int
    file_bytes: dict[str, int]
    training_bytes: int


def sizes(structure: Structure, widths: Sequence[int]) -> Sizes:
    """Return the sizes of a network of this structure for the attention widths."""
    parameters = structure.parameter_count(widths)
    files = weight_bytes(parameters)
    return Sizes(parameters, files, files["float32"] * (2 + _ADAMW_COPIES))


def check_size(structure: Structure, widths: Sequence[int]) -> None:
    """Raise SettingsError, naming `layer_structure`, if the network would be larger than anyone can mean."""
    parameters = structure.parameter_count(widths)
    if parameters > MAX_PARAMETERS:
        size, limit = readable_bytes(parameters * 4), readable_bytes(MAX_PARAMETERS * 4)
        raise SettingsError("layer_structure", f"makes a network of {size}, more than the {limit} that are possible")


def readable_bytes(count: int) -> str:
    """Return a size for display: `87.8 MB`, `1.2 GB`; 1 MB is 1,000,000 bytes."""
    if count >= _GB:
        return f"{count / _GB:,.1f} GB"
    return f"{count / 10**6:.1f} MB" if count >= 10**6 else f"{count / 1000:.1f} kB"
