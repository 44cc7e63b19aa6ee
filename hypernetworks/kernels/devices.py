"""Devices: moves between main memory and the GPU that do not wait for each other, and what is computed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

#: What autocast would compute in on the device that a count on torch's meta device is made for.
_pretended: ContextVar[torch.dtype | None] = ContextVar("pretended", default=None)


@contextmanager
def pretended_autocast(dtype: torch.dtype | None) -> Iterator[None]:
    """For its length `autocast_dtype` gives this for torch's meta device, which has no autocast of its own."""
    token = _pretended.set(dtype)
    try:
        yield
    finally:
        _pretended.reset(token)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move the tensor to `device`. From main memory to a GPU the copy goes on while the program does: by pages that
    stay where they are, which is what a GPU can read on its own."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on `device`, to stay there."""
    return tensor.to(device)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Tell what torch computes in on the device now instead of what it is given; None where it computes in that."""
    if device.type == "meta":
        return _pretended.get()
    try:
        if not torch.is_autocast_enabled(device.type):
            return None
        return torch.get_autocast_dtype(device.type)
    except TypeError:  # before torch 2.4
        if device.type == "cpu":
            return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None
    except RuntimeError:  # a kind of device that has no autocast
        return None
