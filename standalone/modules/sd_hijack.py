"""Puts the host's attention into the classes of `ldm` and `sgm` and takes it out again."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from hypernetwork_workbench.standalone.ldm_support import ldm, sgm

from modules import shared
from modules.hypernetworks import hypernetwork
from modules.textual_inversion.textual_inversion import EmbeddingDatabase

_CLASSES = tuple(library("modules.attention").CrossAttention for library in (ldm, sgm))


class StableDiffusionModelHijack:
    """What the WebUI's code reaches through the text encoder."""

    def __init__(self) -> None:
        self.embedding_db = EmbeddingDatabase()


model_hijack = StableDiffusionModelHijack()


def scaled_dot_product_attention_forward(
    self: Any, x: torch.Tensor, context: torch.Tensor | None = None, mask: torch.Tensor | None = None, **kwargs: Any
) -> torch.Tensor:
    """Return `ldm`'s attention on torch's fused kernel, with hypernetworks; x [batch, tokens, width]."""
    q, k, v = hypernetwork.attention_inputs(self, x, context)
    allowed = None if mask is None else mask.flatten(1)[:, None, None, :]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    return self.to_out(out.transpose(1, 2).flatten(2).to(x.dtype))


def apply_optimizations(option: str | None = None) -> str:
    """Apply the attention chosen in the settings, or the named one; return its name, empty for the plain one."""
    undo_optimizations()
    if (option or shared.opts.cross_attention_optimization) == "None":
        return ""
    for attention in _CLASSES:
        attention.forward = scaled_dot_product_attention_forward
    return "sdp"


def undo_optimizations() -> None:
    """Leave attention with the plain forward, the one that applies hypernetworks."""
    for attention in _CLASSES:
        attention.forward = hypernetwork.attention_CrossAttention_forward
