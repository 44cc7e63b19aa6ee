"""Where the model computes and in which precision."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from modules import shared

cpu = torch.device("cpu")
device = cpu
dtype = dtype_unet = dtype_vae = dtype_inference = torch.float32
unet_needs_upcast = False
force_fp16 = False
fp8 = False


def get_optimal_device_name() -> str:
    """ "cuda", "mps" or "cpu": the fastest one there is."""
    if shared.cmd_opts.use_cpu:
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def get_optimal_device() -> torch.device:
    """The fastest device there is."""
    return torch.device(get_optimal_device_name())


def configure() -> None:
    """Picks device and precision; half precision only on CUDA."""
    global device, dtype, dtype_unet, dtype_inference  # noqa: PLW0603 - the WebUI's names are module variables
    device = get_optimal_device()
    dtype = torch.float16 if device.type == "cuda" and not shared.cmd_opts.no_half else torch.float32
    dtype_unet = dtype_inference = dtype


def torch_gc() -> None:
    """Gives cached memory of the GPU back."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def cond_cast_unet(tensor: torch.Tensor) -> torch.Tensor:
    """A context in the U-Net's precision, where it computes without autocast."""
    return tensor.to(dtype_unet) if unet_needs_upcast else tensor


def cond_cast_float(tensor: torch.Tensor) -> torch.Tensor:
    """A context in 32 bits, where the U-Net computes without autocast."""
    return tensor.float() if unet_needs_upcast else tensor


def autocast(disable: bool = False) -> AbstractContextManager[object]:
    """Mixed precision on CUDA; does nothing in 32 bits."""
    if disable or dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast("cuda")


def without_autocast(disable: bool = False) -> AbstractContextManager[object]:
    """Leaves mixed precision for a block."""
    if torch.is_autocast_enabled() and not disable:
        return torch.autocast("cuda", enabled=False)
    return contextlib.nullcontext()


class NansException(Exception):  # noqa: N818 - the WebUI's name
    """The model gave no finite numbers."""


def test_for_nans(x: torch.Tensor, where: str) -> None:
    """Raises NansException when every number is a NaN."""
    if torch.isnan(x).all():
        raise NansException(f"The {where} gave only NaNs: the checkpoint or the hypernetwork is broken.")
