"""Which model a checkpoint holds: from NAME.yaml beside it, else from its keys and shapes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
import yaml
from hypernetwork_workbench.hypernetworks.errors import WorkbenchError

UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
UNET_CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
OPENCLIP_TEXT = "cond_stage_model.model.token_embedding.weight"
CLIP_TEXT = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
VAE = "first_stage_model.decoder.conv_in.weight"
SDXL = "conditioner.embedders.1.model.ln_final.weight"
LATENT_CHANNELS, SD_CHANNELS = 4, 320

_VAE_SD: dict[str, Any] = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}
_UNET_SD: dict[str, Any] = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": SD_CHANNELS,
    "attention_resolutions": [4, 2, 1],
    "num_res_blocks": 2,
    "channel_mult": [1, 2, 4, 4],
    "use_spatial_transformer": True,
    "transformer_depth": 1,
    "legacy": False,
}
_UNET_SD1 = {**_UNET_SD, "num_heads": 8, "context_dim": 768}
_UNET_SD2 = {**_UNET_SD, "num_head_channels": 64, "use_linear_in_transformer": True, "context_dim": 1024}


class CheckpointError(WorkbenchError):
    """A checkpoint is missing, cannot be read, or holds something else."""


def _defaults(unet: dict[str, Any]) -> dict[str, Any]:
    params = {
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "timesteps": 1000,
        "scale_factor": 0.18215,
        "unet_config": {"params": unet},
        "first_stage_config": {"params": {"embed_dim": 4, "ddconfig": _VAE_SD}},
    }
    return copy.deepcopy(params)


def from_yaml(path: Path) -> dict[str, Any]:
    """The model's parameters from a config in `ldm`'s format; raises CheckpointError."""
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["params"]
        # What the model is built from must be there.
        _ = params["unet_config"]["params"], params["first_stage_config"]["params"]["ddconfig"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path.name} is not a model config in ldm's format ({error!r}).") from error
    return params


def find_checkpoint_config(state_dict: dict[str, torch.Tensor], path: Path) -> dict[str, Any]:
    """The parameters to build the model with; raises CheckpointError for anything but SD1 and SD2.

    SD2's eps and v models have the same keys: `parameterization` is then absent, and found by a trial.
    """
    if SDXL in state_dict:
        raise CheckpointError(f"{path.name} is an SDXL checkpoint; the embedded host runs Stable Diffusion 1 and 2.")
    for key, part in ((UNET_INPUT, "U-Net"), (VAE, "autoencoder")):
        if key not in state_dict:
            raise CheckpointError(f"{path.name} has no {part}: it is not a Stable Diffusion 1 or 2 checkpoint.")
    if not {CLIP_TEXT, OPENCLIP_TEXT} & state_dict.keys():
        raise CheckpointError(f"{path.name} has no text encoder: it is not a Stable Diffusion 1 or 2 checkpoint.")
    channels = state_dict[UNET_INPUT].shape[1]
    if channels != LATENT_CHANNELS:
        raise CheckpointError(f"{path.name} takes {channels} latent channels: inpainting models are not supported.")
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        return from_yaml(beside)
    context = state_dict[UNET_CONTEXT].shape[1] if UNET_CONTEXT in state_dict else 0
    if state_dict[UNET_INPUT].shape[0] == SD_CHANNELS:
        if context == _UNET_SD1["context_dim"] and CLIP_TEXT in state_dict:
            return {**_defaults(_UNET_SD1), "parameterization": "eps"}
        if context == _UNET_SD2["context_dim"]:
            return _defaults(_UNET_SD2)
    raise CheckpointError(f"{path.name} is no plain Stable Diffusion 1 or 2 model: put {beside.name} beside it.")


@torch.no_grad()
def predicts_v(unet: torch.nn.Module, context_dim: int) -> bool:
    """Whether an SD2 U-Net predicts v: on a constant input at the last step its answer is then far below it."""
    weight = next(unet.parameters())
    x = torch.full((1, LATENT_CHANNELS, 8, 8), 0.5, device=weight.device)
    context = torch.full((1, 2, context_dim), 0.5, device=weight.device)
    with torch.autocast("cuda", enabled=weight.dtype == torch.float16):
        out = unet(x, torch.tensor([999], device=weight.device), context=context)
    return bool((out.float() - x).mean() < -1)
