"""Gradient checkpointing of the U-Net's blocks, on and off; non-re-entrant, as a frozen U-Net needs it."""

from __future__ import annotations

from typing import Any

from hypernetwork_workbench.standalone.ldm_support import ldm, sgm
from torch.utils.checkpoint import checkpoint

_BLOCKS = tuple(
    getattr(library(module), name)
    for library in (ldm, sgm)
    for module, name in (
        ("modules.attention", "BasicTransformerBlock"),
        ("modules.diffusionmodules.openaimodel", "ResBlock"),
        ("modules.diffusionmodules.openaimodel", "AttentionBlock"),
    )
)
stored: list[Any] = []


def _forward(self: Any, *inputs: Any, **named: Any) -> Any:
    return checkpoint(self._forward, *inputs, use_reentrant=False, **named)


def add() -> None:
    """Checkpoint every block of the U-Net."""
    if stored:
        return
    for block in _BLOCKS:
        stored.append(block.forward)
        block.forward = _forward


def remove() -> None:
    """Put the blocks' own forwards back."""
    for block, forward in zip(_BLOCKS, stored, strict=False):
        block.forward = forward
    stored.clear()
