"""The version of a tensor's content."""

from __future__ import annotations

from torch import Tensor


def version(tensor: Tensor) -> int | None:
    """Return the count of writes into a tensor; None in inference mode, which keeps no count."""
    return None if tensor.is_inference() else tensor._version
