"""The U-Nets that are measured: of SD1's shape with random weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from standalone import host

WIDTHS = (768, 320, 640, 1280)
TOKENS = 77
#: U-Nets by the name of a case: channels, and width of the text.
SIZES = {"sd15": (320, WIDTHS[0]), "narrow": (64, 128)}
_SD15 = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "attention_resolutions": [4, 2, 1],
    "num_res_blocks": 2,
    "channel_mult": [1, 2, 4, 4],
    "num_heads": 8,
    "use_spatial_transformer": True,
    "transformer_depth": 1,
    "use_checkpoint": False,
    "legacy": False,
}


def random_unet(running: host.Host, dtype: torch.dtype = torch.float32, name: str = "sd15") -> nn.Module:
    """Return a U-Net on the host's device, no weight 0, so that every gradient has a value.

    `sd15` has SD1's 859 M parameters, `narrow` not a tenth of them.
    """
    with torch.device("meta"):
        unet = hollow_unet(running, name)
    fill(unet, running.module("devices").device)
    unet.dtype = dtype
    return unet.to(dtype)


@torch.no_grad()
def fill(unet: nn.Module, device: torch.device) -> None:
    """Give a hollow U-Net random weights on a device, none of them 0, and freeze it."""
    unet.to_empty(device=device).eval().requires_grad_(False)
    generator = torch.Generator(device).manual_seed(0)
    for key, parameter in unet.named_parameters():
        if parameter.dim() > 1:
            parameter.normal_(0, 0.02, generator=generator)
        else:
            parameter.fill_(0.0 if key.endswith("bias") else 1.0)


def hollow_unet(running: host.Host, name: str = "sd15") -> nn.Module:
    """Return a U-Net as torch makes it."""
    channels, text = SIZES[name]
    return running.module("sd_ldm").UNet(**_SD15, model_channels=channels, context_dim=text)


def put_in(running: host.Host, unet: nn.Module) -> None:
    """Make `unet` the loaded model of the host, as far as training and sampling steps use it."""

    def apply_model(noisy: Tensor, timesteps: Tensor, conditions: dict[str, Any]) -> Tensor:
        return unet(noisy, timesteps, context=torch.cat(conditions["c_crossattn"], 1))

    running.module("shared").sd_model = SimpleNamespace(
        model=SimpleNamespace(diffusion_model=unet),
        alphas_cumprod=signal(),
        parameterization="eps",
        apply_model=apply_model,
        sd_checkpoint_info=SimpleNamespace(model_name="random", shorthash=""),
    )
    running.module("sd_hijack").apply_optimizations()


def signal() -> Tensor:
    """Return the share of signal at each timestep of Stable Diffusion's schedule, [1000]."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()
