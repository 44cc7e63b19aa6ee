"""The parts of the demo checkpoint, built from ldm's and transformers' own classes in SD1's shape."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import torch
from ldm.modules.diffusionmodules.model import Decoder, Encoder
from ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

SCALE_FACTOR = 0.18215
LINEAR_START, LINEAR_END, TIMESTEPS = 0.00085, 0.0120, 1000
LATENT_CHANNELS = 4

AUTOENCODER: dict[str, Any] = {
    "double_z": True,
    "z_channels": LATENT_CHANNELS,
    "resolution": 64,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 64,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 0,
    "attn_resolutions": [],
    "dropout": 0.0,
}
"""64 channels, so that a GroupNorm of 32 groups does not become an instance norm."""

UNET: dict[str, Any] = {
    "image_size": 8,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "model_channels": 64,
    "attention_resolutions": [1, 2],
    "num_res_blocks": 1,
    "channel_mult": [1, 2],
    "num_heads": 4,
    "use_spatial_transformer": True,
    "transformer_depth": 1,
    "context_dim": 96,
    "use_checkpoint": False,
    "legacy": False,
}
"""The text width 96 is none of the self-attention widths 64 and 128: each kind of attention gets its own networks."""

TEXT: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 96,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "projection_dim": 96,
    "hidden_act": "quick_gelu",
    "bos_token_id": 49406,
    "eos_token_id": 49407,
}


class Autoencoder(nn.Module):
    """ldm's encoder and decoder with the two 1x1 convolutions around the latent, as AutoencoderKL names them."""

    def __init__(self) -> None:
        super().__init__()
        with contextlib.redirect_stdout(io.StringIO()):  # ldm prints the shape of the latent
            self.encoder, self.decoder = Encoder(**AUTOENCODER), Decoder(**AUTOENCODER)
        self.quant_conv = nn.Conv2d(2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, 1)
        self.post_quant_conv = nn.Conv2d(LATENT_CHANNELS, LATENT_CHANNELS, 1)

    def moments(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log-variance [batch, 4, height / 8, width / 8] of pictures [batch, 3, height, width]."""
        mean, log_variance = self.quant_conv(self.encoder(pictures)).chunk(2, dim=1)
        return mean, log_variance.clamp(-30.0, 20.0)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return scaled latents, near unit variance: the mean of `moments` times the scale factor."""
        return self.moments(pictures)[0] * SCALE_FACTOR

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return pictures [batch, 3, height, width], about -1..1, of scaled latents."""
        return self.decoder(self.post_quant_conv(latents / SCALE_FACTOR))


def build_unet() -> UNetModel:
    """Return ldm's U-Net with fresh weights."""
    return UNetModel(**UNET)


def build_text_model() -> CLIPTextModel:
    """Return a small version of CLIP's text model with fresh weights."""
    return CLIPTextModel(CLIPTextConfig(**TEXT))


def alphas_cumprod() -> torch.Tensor:
    """Return Stable Diffusion's noise schedule [1000], float32: betas linear in their square roots."""
    roots = torch.linspace(LINEAR_START**0.5, LINEAR_END**0.5, TIMESTEPS, dtype=torch.float64)
    return torch.cumprod(1.0 - roots**2, dim=0).float()
