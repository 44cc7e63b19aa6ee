"""Devices: copies between main memory and the GPU that do not wait, and the dtype that is computed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

#: Dtype of autocast on the device for which activations are counted on torch's meta device.
_simulated: ContextVar[torch.dtype | None] = ContextVar("pretended", default=None)


@contextmanager
def simulated_autocast(dtype: torch.dtype | None) -> Iterator[None]:
    """Make `autocast_dtype` return `dtype` for torch's meta device, which has no autocast of its own."""
    token = _simulated.set(dtype)
    try:
        yield
    finally:
        _simulated.reset(token)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on `device`.

    A copy from main memory to a GPU goes on in the background: it is made from pinned memory, which the GPU reads by
    itself.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on `device`, where it will stay."""
    return tensor.to(device)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return the dtype of autocast on the device; None where autocast is off."""
    if device.type == "meta":
        return _simulated.get()
    try:
        if not torch.is_autocast_enabled(device.type):
            return None
        return torch.get_autocast_dtype(device.type)
    except TypeError:  # before torch 2.4
        if device.type == "cpu":
            return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None
    except RuntimeError:  # a device type without autocast
        return None
