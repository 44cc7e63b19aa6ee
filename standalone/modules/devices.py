"""Where the model computes and in which precision."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from modules.shared_cmd_options import cmd_opts

device = torch.device("cpu")
dtype = dtype_unet = dtype_vae = torch.float32


def configure() -> None:
    """Choose the fastest device there is, and the precision: half precision only on CUDA."""
    global device, dtype, dtype_unet  # noqa: PLW0603 - the WebUI's names are module variables
    name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device("cpu" if cmd_opts.use_cpu else name)
    dtype = dtype_unet = torch.float16 if device.type == "cuda" and not cmd_opts.no_half else torch.float32


def torch_gc() -> None:
    """Return unused cached memory to the GPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def autocast() -> AbstractContextManager[object]:
    """Return a context with mixed precision on CUDA; it does nothing in 32 bits."""
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast("cuda")


def without_autocast() -> AbstractContextManager[object]:
    """Return a context without mixed precision."""
    return torch.autocast("cuda", enabled=False) if torch.is_autocast_enabled() else contextlib.nullcontext()


class NansException(Exception):  # noqa: N818 - the WebUI's name
    """The model gave no finite numbers."""


def test_for_nans(x: torch.Tensor, where: str) -> None:
    """Raise NansException when every number is a NaN."""
    if torch.isnan(x).all():
        raise NansException(f"The {where} gave only NaNs: the checkpoint or the hypernetwork is broken.")
