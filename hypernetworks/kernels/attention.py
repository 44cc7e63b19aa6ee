"""Attention kernels for training; torch's fused ones keep no matrix of tokens by tokens for the backward pass."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ..base.errors import SettingsError

#: Takes q, k and v [batch, heads, tokens, head width] and a mask or None; returns the output, shaped like q.
Kernel: TypeAlias = "Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]"

CHOICES = ("auto", "SDPA", "xformers", "host")
#: Versions whose backward pass is wrong for head widths above 64.
_WRONG_XFORMERS = ("0.0.15", "0.0.16")
#: Devices with fused kernels in torch; on others its SDPA is a plain product, which the host's own may slice.
_FUSED_DEVICES = ("cpu", "cuda")


def kernel(name: str, device: torch.device) -> Kernel | None:
    """Return the kernel of a choice on a device; None for the host's own attention.

    Raises:
        SettingsError: xformers is missing, of a version with wrong gradients, or needs another device.
    """
    if name == "xformers":
        _check_xformers(device)
        return _xformers
    is_host = name == "host" or (name == "auto" and device.type not in _FUSED_DEVICES)
    return None if is_host else _sdpa


def _sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _xformers(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    if mask is not None:  # xformers wants masks aligned in its own way
        return _sdpa(q, k, v, mask)
    ops: Any = importlib.import_module("xformers.ops")
    try:
        # It takes [batch, tokens, heads, head width].
        return ops.memory_efficient_attention(*(part.transpose(1, 2) for part in (q, k, v))).transpose(1, 2)
    except NotImplementedError as error:
        # It chooses by the GPU, the number format and the head width, and says so in dozens of lines.
        raise SettingsError("train.attention", "xformers has no kernel for this GPU and model; choose auto") from error


def _check_xformers(device: torch.device) -> None:
    if importlib.util.find_spec("xformers") is None:
        raise SettingsError("train.attention", "xformers is not installed; choose auto")
    version = importlib.metadata.version("xformers").partition("+")[0]
    if version.startswith(_WRONG_XFORMERS):
        raise SettingsError("train.attention", f"xformers {version} gives wrong gradients; update it, or choose auto")
    if device.type != "cuda":
        raise SettingsError("train.attention", "xformers needs a GPU; choose auto")
    try:
        importlib.import_module("xformers.ops")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise SettingsError(
            "train.attention", f"xformers {version} does not fit this PyTorch; install another one, or choose auto"
        ) from error
