"""The demo checkpoint as a file: SD1's names for the weights, fp16, and the config that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save
from torch import nn

from .models import (
    AUTOENCODER,
    LATENT_CHANNELS,
    LINEAR_END,
    LINEAR_START,
    SCALE_FACTOR,
    TEXT,
    TIMESTEPS,
    UNET,
    Autoencoder,
    build_text_model,
    build_unet,
)
from .sample import Demo

UNET_PREFIX = "model.diffusion_model."
AUTOENCODER_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer."
TOKEN_TABLE = TEXT_PREFIX + "text_model.embeddings.token_embedding.weight"


def standardise_latents(autoencoder: Autoencoder, pictures: torch.Tensor) -> None:
    """Shift and scale the latents to mean 0 and, times the scale factor, variance 1, channel by channel.

    The change goes into the 1x1 convolutions around the latent, so that a host needs to know the scale factor only.
    `pictures` [count, 3, height, width] in -1..1 are what the statistics are taken of.
    """
    with torch.no_grad():
        latents = torch.cat([autoencoder.moments(part)[0] for part in pictures.split(32)])
        mean = latents.mean(dim=(0, 2, 3))
        spread = latents.std(dim=(0, 2, 3)) * SCALE_FACTOR
        before = dict(autoencoder.quant_conv.named_parameters())
        after = dict(autoencoder.post_quant_conv.named_parameters())
        before["bias"][:LATENT_CHANNELS].sub_(mean).div_(spread)
        before["bias"][LATENT_CHANNELS:].sub_(2 * spread.log())
        before["weight"][:LATENT_CHANNELS].div_(spread[:, None, None, None])
        after["bias"].add_(after["weight"][:, :, 0, 0] @ mean)
        after["weight"].mul_(spread[None, :, None, None])


def save_checkpoint(demo: Demo, path: Path) -> None:
    """Write the three models to one .safetensors file in fp16, by a temporary name in the same folder."""
    parts: dict[str, nn.Module] = {
        UNET_PREFIX: demo.unet,
        AUTOENCODER_PREFIX: demo.autoencoder,
        TEXT_PREFIX: demo.text,
    }
    weights = {
        prefix + name: tensor for prefix, module in parts.items() for name, tensor in module.state_dict().items()
    }
    write_weights(weights, path)


def write_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write weights to a .safetensors file in fp16, by a temporary name in the same folder."""
    halved = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in weights.items()}
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(save(halved, metadata={"format": "pt"}))
    temporary.replace(path)


def load_checkpoint(path: Path) -> Demo:
    """Return the models of a saved file in float32, in evaluation mode; every weight must be there."""
    weights = load_file(path)
    demo = Demo(Autoencoder(), build_unet(), build_text_model())
    _fill(demo.unet, weights, UNET_PREFIX)
    _fill(demo.autoencoder, weights, AUTOENCODER_PREFIX)
    _fill(demo.text, weights, TEXT_PREFIX)
    return demo


def _fill(module: nn.Module, weights: Mapping[str, torch.Tensor], prefix: str) -> None:
    own = {name.removeprefix(prefix): one.float() for name, one in weights.items() if name.startswith(prefix)}
    module.load_state_dict(own)
    module.requires_grad_(False).eval()


def config() -> dict[str, Any]:
    """Return the description of the model in the form that latent diffusion and the WebUI read."""
    return {
        "model": {
            "target": "ldm.models.diffusion.ddpm.LatentDiffusion",
            "params": {
                "linear_start": LINEAR_START,
                "linear_end": LINEAR_END,
                "timesteps": TIMESTEPS,
                "first_stage_key": "jpg",
                "cond_stage_key": "txt",
                "image_size": UNET["image_size"],
                "channels": LATENT_CHANNELS,
                "cond_stage_trainable": False,
                "conditioning_key": "crossattn",
                "scale_factor": SCALE_FACTOR,
                "use_ema": False,
                "unet_config": {"target": "ldm.modules.diffusionmodules.openaimodel.UNetModel", "params": UNET},
                "first_stage_config": {
                    "target": "ldm.models.autoencoder.AutoencoderKL",
                    "params": {
                        "embed_dim": LATENT_CHANNELS,
                        "ddconfig": AUTOENCODER,
                        "lossconfig": {"target": "torch.nn.Identity"},
                    },
                },
                "cond_stage_config": {
                    "target": "ldm.modules.encoders.modules.FrozenCLIPEmbedder",
                    "params": TEXT,
                },
            },
        }
    }


def save_config(path: Path) -> None:
    """Write the config as YAML, by a temporary name in the same folder."""
    write_yaml(config(), path)


def write_yaml(content: Mapping[str, Any], path: Path) -> None:
    """Write a config as YAML, by a temporary name in the same folder."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(dict(content))), encoding="utf-8")
    temporary.replace(path)
