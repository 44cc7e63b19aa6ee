"""Patch set: the host's gradient checkpointing lets gradients through a frozen U-Net.

Its own is re-entrant: where the inputs of a block need no gradient, the weights of a network in it get none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.checkpoint import checkpoint

from ..patching import Patch, PatchSet

_HOST = "modules.sd_hijack_checkpoint"
_FORWARDS = ("BasicTransformerBlock_forward", "ResBlock_forward", "AttentionBlock_forward")


def _make_forward(_original: Callable[..., Any]) -> Callable[..., Any]:
    def forward(self: Any, *inputs: Any, **named: Any) -> Any:
        return checkpoint(self._forward, *inputs, use_reentrant=False, **named)

    return forward


patch_set = PatchSet(
    "checkpointing",
    "Gradient checkpointing that suits a frozen U-Net",
    [Patch(f"{_HOST}:{name}", _make_forward) for name in _FORWARDS],
    mends=True,
)
