"""What tells whether a tensor is still what it was."""

from __future__ import annotations

from torch import Tensor


def version(tensor: Tensor) -> int | None:
    """Count the writes into a tensor; None for one of inference mode, which has no count."""
    return None if tensor.is_inference() else tensor._version
