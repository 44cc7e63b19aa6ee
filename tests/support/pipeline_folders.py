"""Folders in the form of diffusers, written by diffusers: small ones with random weights, and the demo model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders import single_file_utils
from hypernetwork_workbench.standalone import clip_tokenizer
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests import sources
from tests.support import tiny_pipelines

DEMO = sources.ROOT / "examples" / "demo.safetensors"
_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_DEMO_UNET = {
    "sample_size": 8,
    "block_out_channels": (64, 128),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 96,
    "attention_head_dim": 4,  # for SD1, diffusers calls the number of heads so
}
_DEMO_VAE = {
    "block_out_channels": (64, 64, 64, 64),
    "layers_per_block": 0,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}


def demo_unet_and_vae() -> tuple[Any, Any]:
    """Return U-Net and VAE of the demo model as diffusers has them."""
    state = {name: weight.float() for name, weight in load_file(DEMO).items()}
    unet, vae = diffusers.UNet2DConditionModel(**_DEMO_UNET), diffusers.AutoencoderKL(**_DEMO_VAE)
    unet.load_state_dict(single_file_utils.convert_ldm_unet_checkpoint(dict(state), unet.config))
    vae.load_state_dict(single_file_utils.convert_ldm_vae_checkpoint(dict(state), vae.config))
    return unet, vae


def write_demo(folder: Path, heads: int) -> Path:
    """Write the demo model; `heads` are those of its text encoder, which its weights do not tell."""
    start = "cond_stage_model.transformer."
    state = {key.removeprefix(start): each.float() for key, each in load_file(DEMO).items() if key.startswith(start)}
    layers = len({key.split(".")[3] for key in state if ".encoder.layers." in key})
    vocabulary, width = state["text_model.embeddings.token_embedding.weight"].shape
    inner = state["text_model.encoder.layers.0.mlp.fc1.weight"].shape[0]
    encoder = _text_encoder(CLIPTextModel, width, layers, heads, intermediate_size=inner, vocab_size=vocabulary)
    encoder.load_state_dict(state, strict=False)
    unet, vae = demo_unet_and_vae()
    scheduler = diffusers.EulerDiscreteScheduler(**_BETAS, timestep_spacing="linspace", steps_offset=1)
    return _save(folder, vae, [encoder], unet, scheduler)


def write(folder: Path, family: str, **options: Any) -> Path:
    """Write a small model with random weights of "SD1", "SD2" (which predicts v) or "SDXL"; options of `_save`."""
    unet = tiny_pipelines.make_unet(family)
    torch.manual_seed(3)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval()
    width = tiny_pipelines.widths(family)[-1]
    if family == "SDXL":
        encoders = [
            _text_encoder(CLIPTextModel, 16, 2, 2),
            _text_encoder(CLIPTextModelWithProjection, width - 16, 2, 2, projection_dim=20),
        ]
    else:
        encoders = [_text_encoder(CLIPTextModel, width, 2, 2)]
    more = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True} if family == "SD2" else {}
    scheduler = diffusers.DDIMScheduler(**_BETAS, clip_sample=False, steps_offset=1, **more)
    return _save(folder, vae, encoders, unet, scheduler, **options)


def _text_encoder(kind: Any, width: int, layers: int, heads: int, **more: Any) -> Any:
    tokenizer = clip_tokenizer.load_tokenizer()
    shape = {
        "vocab_size": len(tokenizer),
        "intermediate_size": 2 * width,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = CLIPTextConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, **(shape | more))
    return kind(config).eval()


def _save(folder: Path, vae: Any, encoders: list[Any], unet: Any, scheduler: Any, **options: Any) -> Path:
    """Save a pipeline; `options` are those of `save_pretrained`, such as a variant, .bin files or their size."""
    tokenizer = clip_tokenizer.load_tokenizer()
    if len(encoders) > 1:
        parts = (vae, *encoders, tokenizer, tokenizer, unet, scheduler)
        pipe: Any = diffusers.StableDiffusionXLPipeline(*parts, force_zeros_for_empty_prompt=True)
    else:
        parts = (vae, *encoders, tokenizer, unet, scheduler)
        pipe = diffusers.StableDiffusionPipeline(*parts, None, None, requires_safety_checker=False)
    pipe.save_pretrained(folder, **options)
    return folder
