"""Which model a checkpoint holds: from NAME.yaml beside it, else from its keys and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError

from modules import paths

UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
UNET_CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
OPENCLIP_TEXT = "cond_stage_model.model.token_embedding.weight"
CLIP_TEXT = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
VAE = "first_stage_model.decoder.conv_in.weight"
SDXL = "conditioner.embedders.1.model.ln_final.weight"
LATENT_CHANNELS, SD_CHANNELS = 4, 320
SD1_WIDTH, SD2_WIDTH = 768, 1024


class CheckpointError(WorkbenchError):
    """A checkpoint is missing, cannot be read, or holds something else."""


def from_yaml(path: Path) -> dict[str, Any]:
    """Return the model's parameters from a config in `ldm`'s format; raises CheckpointError."""
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["params"]
        # What the model is built from must be there.
        _ = params["unet_config"]["params"], params["first_stage_config"]["params"]["ddconfig"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path.name} is not a model config in ldm's format ({error!r}).") from error
    return params


def find_checkpoint_config(state_dict: dict[str, torch.Tensor], path: Path) -> dict[str, Any]:
    """Return the parameters to build the model with; raises CheckpointError for anything but SD1 and SD2.

    SD2's eps and v models have the same keys: `parameterization` is then absent, and found by a trial.
    """
    if SDXL in state_dict:
        raise CheckpointError(f"{path.name} is an SDXL checkpoint; the embedded host runs Stable Diffusion 1 and 2.")
    for keys, part in (({UNET_INPUT}, "U-Net"), ({VAE}, "autoencoder"), ({CLIP_TEXT, OPENCLIP_TEXT}, "text encoder")):
        if not keys & state_dict.keys():
            raise CheckpointError(f"{path.name} has no {part}: it is not a Stable Diffusion 1 or 2 checkpoint.")
    width, channels = state_dict[UNET_INPUT].shape[:2]
    if channels != LATENT_CHANNELS:
        raise CheckpointError(f"{path.name} takes {channels} latent channels: inpainting models are not supported.")
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        return from_yaml(beside)
    context = state_dict[UNET_CONTEXT].shape[1] if UNET_CONTEXT in state_dict else 0
    if width == SD_CHANNELS and context == SD1_WIDTH and CLIP_TEXT in state_dict:
        return from_yaml(Path(paths.standalone_path, "configs", "sd1.yaml"))
    if width == SD_CHANNELS and context == SD2_WIDTH:
        return from_yaml(Path(paths.standalone_path, "configs", "sd2.yaml"))
    raise CheckpointError(f"{path.name} is no plain Stable Diffusion 1 or 2 model: put {beside.name} beside it.")


@torch.no_grad()
def predicts_v(unet: torch.nn.Module, context_dim: int) -> bool:
    """Tell whether an SD2 U-Net predicts v: on a constant input at the last step its answer is then far below it."""
    weight = next(unet.parameters())
    x = torch.full((1, LATENT_CHANNELS, 8, 8), 0.5, device=weight.device)
    context = torch.full((1, 2, context_dim), 0.5, device=weight.device)
    with torch.autocast("cuda", enabled=weight.dtype == torch.float16):
        out = unet(x, torch.tensor([999], device=weight.device), context=context)
    return bool((out.float() - x).mean() < -1)
