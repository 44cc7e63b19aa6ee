"""Gradient checkpointing of the U-Net's blocks, on and off. Non-re-entrant: a frozen U-Net needs it so."""

from __future__ import annotations

from typing import Any

from hypernetwork_workbench.standalone.ldm_support import ldm
from torch.utils.checkpoint import checkpoint

attention = ldm("modules.attention")
openaimodel = ldm("modules.diffusionmodules.openaimodel")


def _block_forward(self: Any, x: Any, context: Any = None) -> Any:
    return checkpoint(self._forward, x, context, use_reentrant=False)


def _attention_forward(self: Any, x: Any) -> Any:
    return checkpoint(self._forward, x, use_reentrant=False)


def _residual_forward(self: Any, x: Any, emb: Any) -> Any:
    return checkpoint(self._forward, x, emb, use_reentrant=False)


stored: list[Any] = []


def add() -> None:
    """Checkpoints every block of the U-Net."""
    if stored:
        return
    classes = (attention.BasicTransformerBlock, openaimodel.ResBlock, openaimodel.AttentionBlock)
    stored.extend(cls.forward for cls in classes)
    for cls, forward in zip(classes, (_block_forward, _residual_forward, _attention_forward), strict=True):
        cls.forward = forward


def remove() -> None:
    """Puts the blocks' own forwards back."""
    if not stored:
        return
    attention.BasicTransformerBlock.forward, openaimodel.ResBlock.forward, openaimodel.AttentionBlock.forward = stored
    stored.clear()
