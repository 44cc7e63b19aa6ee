"""VAE and text encoder off the GPU while only the U-Net works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from modules import devices, shared
from torch import nn

VAE, TEXT = "first_stage_model", "cond_stage_model"
_CPU = torch.device("cpu")

#: The names of those that are away now.
_away: set[str] = set()


@contextmanager
def unloaded() -> Iterator[None]:
    """For its length both are in main memory; `needed` brings one back for its own length.

    A host that moves its parts itself, for GPUs with little memory, is left to do so.
    """
    model = shared.sd_model
    if getattr(model, "lowvram", False):
        yield
        return
    gone = [name for name in (VAE, TEXT) if _is_on_gpu(getattr(model, name))]
    try:
        for name in gone:
            _away.add(name)
            move(getattr(model, name), _CPU)
        if gone:
            devices.torch_gc()
        yield
    finally:
        for name in gone:
            _away.discard(name)
            move(getattr(model, name), devices.device)


@contextmanager
def needed(*names: str) -> Iterator[None]:
    """Those of the names that are away are back for the length of this."""
    model = shared.sd_model
    brought = [name for name in names if name in _away]
    try:
        for name in brought:
            _away.discard(name)
            move(getattr(model, name), devices.device)
        yield
    finally:
        for name in brought:
            _away.add(name)
            move(getattr(model, name), _CPU)
        if brought:
            devices.torch_gc()


def move(module: nn.Module, device: torch.device) -> None:
    """Move a part of the model."""
    module.to(device)


def _is_on_gpu(module: nn.Module) -> bool:
    return any(parameter.device.type not in ("cpu", "meta") for parameter in module.parameters())
