"""Puts the host's attention into `ldm`'s classes and takes it out again."""

from __future__ import annotations

from hypernetwork_workbench.standalone.ldm_support import ldm

from modules import sd_hijack_optimizations, shared
from modules.hypernetworks import hypernetwork

attention = ldm("modules.attention")


def apply_optimizations(option: str | None = None) -> str:
    """Applies the attention chosen in the settings, or the named one; returns its name, nothing for the plain one."""
    undo_optimizations()
    if (option or shared.opts.cross_attention_optimization) == "None":
        return ""
    attention.CrossAttention.forward = sd_hijack_optimizations.scaled_dot_product_attention_forward
    return "sdp"


def undo_optimizations() -> None:
    """Leaves attention with the plain forward, the one that applies hypernetworks."""
    attention.CrossAttention.forward = hypernetwork.attention_CrossAttention_forward
