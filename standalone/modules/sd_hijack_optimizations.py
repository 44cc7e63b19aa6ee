"""Faster forwards for `ldm`'s attention. Hypernetworks are applied in each, through the module's attribute."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from hypernetwork_workbench.standalone.ldm_support import ldm

from modules import shared
from modules.hypernetworks import hypernetwork

attention = ldm("modules.attention")


class SdOptimization:
    """One way of computing attention, selectable in the settings."""

    name: str = ""
    label: str | None = None
    cmd_opt: str | None = None
    priority = 0

    def title(self) -> str:
        """As the settings show it."""
        return self.name if self.label is None else f"{self.name} - {self.label}"

    def is_available(self) -> bool:
        """Whether it works here."""
        return True

    def apply(self) -> None:
        """Puts its forward in place."""

    def undo(self) -> None:
        """Puts the plain forward back, the one that applies hypernetworks too."""
        attention.CrossAttention.forward = hypernetwork.attention_CrossAttention_forward


class SdOptimizationSdp(SdOptimization):
    """torch's fused attention."""

    name = "sdp"
    label = "scaled dot product"
    priority = 80

    def apply(self) -> None:
        """Puts the fused forward in place."""
        attention.CrossAttention.forward = scaled_dot_product_attention_forward


def list_optimizers(found: list[SdOptimization]) -> None:
    """Adds the host's own optimizations to the list."""
    found.append(SdOptimizationSdp())


def scaled_dot_product_attention_forward(
    self: Any, x: torch.Tensor, context: torch.Tensor | None = None, mask: torch.Tensor | None = None, **kwargs: Any
) -> torch.Tensor:
    """`ldm`'s attention on torch's fused kernel; x [batch, tokens, width]."""
    context = x if context is None else context
    context_k, context_v = hypernetwork.apply_hypernetworks(shared.loaded_hypernetworks, context)
    q, k, v = (
        t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        for t in (self.to_q(x), self.to_k(context_k), self.to_v(context_v))
    )
    allowed = None if mask is None else mask.flatten(1)[:, None, None, :]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=0.0, is_causal=False)
    return self.to_out(out.transpose(1, 2).flatten(2).to(x.dtype))
