"""Blocks of the U-Net that keep no activations and compute them again in the backward pass, to save memory.

Not re-entrant, so that gradients also reach networks in blocks whose inputs need none, such as the first ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .shortcuts import shortcuts


def blocks(unet: nn.Module, which: str) -> list[nn.Module]:
    """Return the blocks that a choice of checkpointing means: transformer blocks, and with "all" also residual ones."""
    if which == "none":
        return []
    return [
        module
        for module in unet.modules()
        if (hasattr(module, "attn1") and hasattr(module, "attn2"))
        or (which == "all" and hasattr(module, "in_layers") and hasattr(module, "emb_layers"))
    ]


@dataclass(frozen=True)
class Recomputation:
    """What must be as it was when a block runs again in the backward pass.

    Attributes:
        surroundings: the contexts (autocast, attention) that a forward of the U-Net runs in.
        preserves_rng: whether the same random numbers are drawn again; dropout needs that.
    """

    surroundings: Callable[[], AbstractContextManager[None]]
    preserves_rng: bool


@contextmanager
def checkpointed(unet: nn.Module, which: str, recomputation: Recomputation) -> Iterator[None]:
    """Checkpoint the blocks of a choice ("none", "attention", "all"), wherever gradients are wanted."""
    changed: list[tuple[nn.Module, Any]] = []
    chosen = blocks(unet, which)
    hook = unet.register_forward_pre_hook(_transform_text_first, with_kwargs=True) if chosen else None
    try:
        for block in chosen:
            changed.append((block, vars(block).get("forward")))
            block.forward = _checkpointed(block.forward, recomputation)
        yield
    finally:
        for block, own in changed:
            if own is None:
                del block.forward
            else:
                block.forward = own
        if hook is not None:
            hook.remove()


def _checkpointed(forward: Callable[..., Any], recomputation: Recomputation) -> Callable[..., Any]:
    def checkpointed_forward(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        cache = shortcuts.training_cache

        def run(*inputs: Any, **named: Any) -> Any:
            # The second time the forward of the U-Net is over, and what it cached of the text is needed again.
            with recomputation.surroundings(), shortcuts.read_only(cache):
                return forward(*inputs, **named)

        return checkpoint(run, *inputs, use_reentrant=False, preserve_rng_state=recomputation.preserves_rng, **named)

    return checkpointed_forward


def _transform_text_first(_unet: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Transform the text once, before any block runs, so that no block computes it again in the backward pass."""
    context = named.get("context", inputs[2] if len(inputs) > 2 else None)  # noqa: PLR2004 - (x, timesteps, context)
    if isinstance(context, Tensor) and torch.is_grad_enabled():
        shortcuts.transform_text(context)
