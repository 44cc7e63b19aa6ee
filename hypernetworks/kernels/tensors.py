"""Tensors as they lie in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def version(tensor: Tensor) -> int | None:
    """Return the count of writes into a tensor; None for one made in inference mode, which keeps no count."""
    if tensor.is_inference():
        return None
    try:
        return tensor._version
    except RuntimeError:  # made there, and moved outside: it says that it was not
        return None


def raw_bytes(tensor: Tensor) -> memoryview:
    """Return the bytes of a tensor in the order of its numbers, without a copy where they lie so on the CPU."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # An empty tensor has no memory that could be looked at.
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def digest(tensors: Mapping[str, Tensor], start: str = "") -> str:
    """Return the SHA-256 of a text and of tensors with their names, dtypes and shapes."""
    found = hashlib.sha256(start.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(raw_bytes(tensor))
    return found.hexdigest()


def is_compiling() -> bool:
    """Tell whether torch compiles the code that runs; never where its version cannot be asked."""
    ask = getattr(torch.compiler, "is_compiling", None)
    return ask is not None and ask()
