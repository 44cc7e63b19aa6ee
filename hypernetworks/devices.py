"""Moves between main memory and the GPU that do not wait for each other."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`. From main memory to a GPU the copy goes on while the program does: by way of pages that
    stay where they are, which is what a GPU can read on its own."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`, to stay there."""
    return tensor.to(device)
