"""Blocks of the U-Net that keep no activations and compute them again in the backward pass, to save memory.

Not re-entrant, so that gradients also pass through blocks whose inputs need none, as the first ones' do here.
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
    """Return the blocks that a choice of checkpointing means: transformer blocks, with "all" the residual ones too."""
    if which == "none":
        return []
    return [
        module
        for module in unet.modules()
        if (hasattr(module, "attn1") and hasattr(module, "attn2"))
        or (which == "all" and hasattr(module, "in_layers") and hasattr(module, "emb_layers"))
    ]


@dataclass(frozen=True)
class Again:
    """What must be as it was when a block runs again in the backward pass.

    Attributes:
        surroundings: what holds during a forward of the U-Net alone.
        keeps_rng: the random numbers are those drawn before; dropout needs that.
    """

    surroundings: Callable[[], AbstractContextManager[None]]
    keeps_rng: bool


@contextmanager
def checkpointed(unet: nn.Module, which: str, again: Again) -> Iterator[None]:
    """Return the blocks of a choice ("none", "attention", "all") are checkpointed where gradients are wanted."""
    changed: list[tuple[nn.Module, Any]] = []
    chosen = blocks(unet, which)
    hook = unet.register_forward_pre_hook(_transform_text_first, with_kwargs=True) if chosen else None
    try:
        for block in chosen:
            changed.append((block, vars(block).get("forward")))
            block.forward = _checkpointed(block.forward, again)
        yield
    finally:
        for block, own in changed:
            if own is None:
                del block.forward
            else:
                block.forward = own
        if hook is not None:
            hook.remove()


def _checkpointed(forward: Callable[..., Any], again: Again) -> Callable[..., Any]:
    def checkpointed_forward(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        memo = shortcuts.training_memo

        def run(*inputs: Any, **named: Any) -> Any:
            # The second time the forward of the U-Net is over, and what it remembered of the text is needed again.
            with again.surroundings(), shortcuts.reading(memo):
                return forward(*inputs, **named)

        return checkpoint(run, *inputs, use_reentrant=False, preserve_rng_state=again.keeps_rng, **named)

    return checkpointed_forward


def _transform_text_first(_unet: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Tell what networks make of the text is computed outside of the blocks, once, and so never again."""
    context = named.get("context", inputs[2] if len(inputs) > 2 else None)  # noqa: PLR2004 - (x, timesteps, context)
    if isinstance(context, Tensor) and torch.is_grad_enabled():
        shortcuts.transform_text(context)
