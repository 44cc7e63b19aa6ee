"""Writes a small checkpoint with random weights in SD1's key layout, for tests that need a model but no meaning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT_WIDTH = 24
WIDTHS = (TEXT_WIDTH, 32, 64)
"""Widths of the attention inputs: cross-attention, then self-attention at both levels."""

VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 64,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 0,
    "attn_resolutions": [],
    "dropout": 0.0,
}
"""Shape of the autoencoder, also that of `tiny_xl`."""


def _params(parameterization: str) -> dict[str, Any]:
    unet = {
        "image_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "attention_resolutions": [1, 2],
        "num_res_blocks": 1,
        "channel_mult": [1, 2],
        "num_heads": 4,
        "use_spatial_transformer": True,
        "transformer_depth": 1,
        "context_dim": TEXT_WIDTH,
        "legacy": False,
    }
    return {
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "timesteps": 1000,
        "scale_factor": 0.18215,
        "parameterization": parameterization,
        "unet_config": {"target": "ldm.modules.diffusionmodules.openaimodel.UNetModel", "params": unet},
        "first_stage_config": {
            "target": "ldm.models.autoencoder.AutoencoderKL",
            "params": {"embed_dim": 4, "ddconfig": VAE},
        },
        "cond_stage_config": {
            "target": "ldm.modules.encoders.modules.FrozenCLIPEmbedder",
            "params": {"num_attention_heads": 2},
        },
    }


def write(folder: Path, name: str = "tiny", seed: int = 0, parameterization: str = "eps") -> Path:
    """Write NAME.safetensors (fp16, about 3 MB) and NAME.yaml into the folder; returns the checkpoint's path.

    The zero-initialised tensors of a fresh U-Net are filled too: its output would be exactly 0 otherwise.
    """
    for place in (ROOT, ROOT / "standalone"):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))
    from modules.sd_ldm import LatentDiffusion
    from safetensors.torch import save_file
    from transformers import CLIPTextConfig

    params = _params(parameterization)
    text = CLIPTextConfig(
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LatentDiffusion(params, text)
        with torch.no_grad():
            for tensor in model.model.parameters():
                if not tensor.any():
                    tensor.normal_(0, 0.02)
    path = Path(folder) / f"{name}.safetensors"
    save_file({key: tensor.half().contiguous() for key, tensor in model.state_dict().items()}, str(path))
    config = {"model": {"target": "ldm.models.diffusion.ddpm.LatentDiffusion", "params": params}}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
