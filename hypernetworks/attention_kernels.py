"""Attention kernels to train with; torch's fused ones keep no matrix of tokens by tokens for the backward pass."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from .errors import SettingsError

#: From q, k and v [batch, heads, tokens, head width] and a mask or None to the output, shaped like q.
Kernel: TypeAlias = "Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]"

CHOICES = ("auto", "SDPA", "xformers", "host")
#: Their backward pass is wrong for head widths above 64.
_WRONG_XFORMERS = ("0.0.15", "0.0.16")
#: Where torch has fused kernels; elsewhere its SDPA is a plain product, and the host's own may slice it.
_FUSED_DEVICES = ("cpu", "cuda")
#: Products of queries and keys in a head up to which a CPU is faster with all of them at once.
_FEW_SCORES = 1 << 17


def kernel(name: str, device: torch.device) -> Kernel | None:
    """The kernel of a choice on a device; None for the host's own attention.

    Raises:
        SettingsError: xformers is missing, of a version with wrong gradients, or needs another device.
    """
    if name == "xformers":
        _check_xformers(device)
        return _xformers
    is_host = name == "host" or (name == "auto" and device.type not in _FUSED_DEVICES)
    if is_host:
        return None
    return _on_cpu if name == "auto" and device.type == "cpu" else _sdpa


def _on_cpu(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """What torch's fused kernel gives, up to rounding; for few tokens that one is slower than plain products."""
    if mask is not None or q.shape[-2] * k.shape[-2] > _FEW_SCORES:
        return _sdpa(q, k, v, mask)
    heads = q.shape[1]
    q, k, v = (part.flatten(0, 1) for part in (q, k, v))
    scores = torch.baddbmm(q.new_empty(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=q.shape[-1] ** -0.5)
    return torch.bmm(scores.softmax(-1), v).unflatten(0, (-1, heads))


def _sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _xformers(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    if mask is not None:  # its masks need an alignment of their own
        return _sdpa(q, k, v, mask)
    ops: Any = importlib.import_module("xformers.ops")
    # It takes [batch, tokens, heads, head width].
    return ops.memory_efficient_attention(*(part.transpose(1, 2) for part in (q, k, v))).transpose(1, 2)


def _check_xformers(device: torch.device) -> None:
    if importlib.util.find_spec("xformers") is None:
        raise SettingsError("train.attention", "xformers is not installed; choose auto")
    version = importlib.metadata.version("xformers").partition("+")[0]
    if version.startswith(_WRONG_XFORMERS):
        raise SettingsError("train.attention", f"xformers {version} gives wrong gradients; update it, or choose auto")
    if device.type != "cuda":
        raise SettingsError("train.attention", "xformers needs a GPU; choose auto")
