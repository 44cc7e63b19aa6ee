"""Which model a checkpoint holds: from NAME.yaml beside it, else from its keys and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors
import torch
import yaml
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.train.noise import for_samplers, zero_terminal_snr

from modules import paths

UNET_INPUT = "model.diffusion_model.input_blocks.0.0.weight"
UNET_CONTEXT = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
OPENCLIP_TEXT = "cond_stage_model.model.token_embedding.weight"
CLIP_TEXT = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
VAE = "first_stage_model.decoder.conv_in.weight"
SDXL_TEXT = "conditioner.embedders.1.model.ln_final.weight"
SDXL_REFINER_TEXT = "conditioner.embedders.0.model.ln_final.weight"
SDXL_CONTEXT = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
#: What SDXL has at its deepest, and those that were made smaller from it, such as SSD-1B, have not.
SDXL_DEEPEST = "model.diffusion_model.middle_block.1.transformer_blocks.9.attn2.to_k.weight"
#: Takes a vector beside the text; in SD2's shape that is unCLIP's picture.
UNET_VECTOR = "model.diffusion_model.label_emb.0.0.weight"
#: Tensors of Playground 2.5 and CosXL, which predict in another way (Karras et al. 2022).
EDM_MARKS = {"edm_mean", "edm_vpred.sigma_max"}
#: Tensors without numbers by which checkpoints say that they predict v, and that their last step is pure noise.
V_MARK, ZERO_SNR_MARK = "v_pred", "ztsnr"
MARKS = {V_MARK, ZERO_SNR_MARK}
LATENT_CHANNELS, SD_CHANNELS = 4, 320
PX_PER_LATENT, SD_PX, SDXL_PX = 8, 512, 1024
SD1_WIDTH, SD2_WIDTH, SDXL_WIDTH = 768, 1024, 2048


class CheckpointError(WorkbenchError):
    """A checkpoint is missing, cannot be read, or holds something else."""


def from_yaml(path: Path) -> dict[str, Any]:
    """Return the model's parameters from a config in the format of `ldm`, or of `sgm`; raises CheckpointError."""
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["params"]
        # What the model is built from must be there.
        unet = params["network_config" if is_sgm(params) else "unet_config"]
        _ = unet["params"], params["first_stage_config"]["params"]["ddconfig"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path.name} is not a model config in the format of ldm or sgm ({error!r}).") from error
    return params


def is_sgm(params: dict[str, Any]) -> bool:
    """Tell whether parameters are those of a model of `sgm`, which SDXL is one of."""
    return "network_config" in params


def usual_px(path: Path) -> int:
    """Return the side of the pictures that a checkpoint knows, by its config or its keys; raises CheckpointError."""
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        params = from_yaml(beside)
        if is_sgm(params):  # SDXL makes pictures of four times what its autoencoder was trained on
            return 4 * int(params["first_stage_config"]["params"]["ddconfig"].get("resolution", SDXL_PX // 4))
        return PX_PER_LATENT * int(params["unet_config"]["params"].get("image_size", SD_PX // PX_PER_LATENT))
    if path.suffix.lower() != ".safetensors":
        return SD_PX
    try:
        with safetensors.safe_open(path, "pt") as file:
            return SDXL_PX if SDXL_TEXT in file.keys() else SD_PX  # noqa: SIM118 - it is no dict
    except (OSError, safetensors.SafetensorError):  # told when it is loaded
        return SD_PX


def find_checkpoint_config(state_dict: dict[str, torch.Tensor], path: Path) -> dict[str, Any]:
    """Return the parameters to build the model with; raises CheckpointError for anything but SD1, SD2 and SDXL.

    As the WebUI does, SDXL is told by its second text encoder, and its refiner by having that one alone. SD2's eps and
    v models have the same keys: `parameterization` is then absent, and found by a trial.
    """
    _check_kind(state_dict, path)
    texts = {CLIP_TEXT, OPENCLIP_TEXT, SDXL_TEXT}
    for keys, part in (({UNET_INPUT}, "U-Net"), ({VAE}, "autoencoder"), (texts, "text encoder")):
        if not keys & state_dict.keys():
            raise CheckpointError(f"{path.name} has no {part}: it is not a Stable Diffusion 1, 2 or XL checkpoint.")
    width, channels = state_dict[UNET_INPUT].shape[:2]
    if channels != LATENT_CHANNELS:
        raise CheckpointError(
            f"{path.name} takes {channels} latent channels: models for inpainting, depth and instruct-pix2pix are not "
            "supported."
        )
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        return from_yaml(beside)
    if SDXL_TEXT in state_dict:
        context = state_dict[SDXL_CONTEXT].shape[1] if SDXL_CONTEXT in state_dict else 0
        if (width, context) == (SD_CHANNELS, SDXL_WIDTH):
            if SDXL_DEEPEST not in state_dict:
                raise CheckpointError(f"{path.name} is a smaller SDXL, such as SSD-1B, which is not supported.")
            return from_yaml(Path(paths.standalone_path, "configs", "sdxl.yaml"))
        raise CheckpointError(f"{path.name} is no plain SDXL model: put {beside.name} beside it.")
    context = state_dict[UNET_CONTEXT].shape[1] if UNET_CONTEXT in state_dict else 0
    if width == SD_CHANNELS and context == SD1_WIDTH and CLIP_TEXT in state_dict:
        return from_yaml(Path(paths.standalone_path, "configs", "sd1.yaml"))
    if width == SD_CHANNELS and context == SD2_WIDTH:
        return from_yaml(Path(paths.standalone_path, "configs", "sd2.yaml"))
    raise CheckpointError(f"{path.name} is no plain Stable Diffusion 1 or 2 model: put {beside.name} beside it.")


def _check_kind(state_dict: dict[str, torch.Tensor], path: Path) -> None:
    """Raise CheckpointError for a model that would be taken for another one by the shapes of its weights."""
    if SDXL_REFINER_TEXT in state_dict:
        raise CheckpointError(
            f"{path.name} is SDXL's refiner, which finishes pictures of the base model: load the base."
        )
    if EDM_MARKS & state_dict.keys():
        raise CheckpointError(
            f"{path.name} predicts neither noise nor velocity, as Playground 2.5 and CosXL do: they are not supported."
        )
    if {UNET_VECTOR, OPENCLIP_TEXT} <= state_dict.keys():
        raise CheckpointError(f"{path.name} takes a picture beside the text: unCLIP models are not supported.")


def heed_marks(model: Any, marks: set[str]) -> None:
    """Take a model for what empty tensors of these names say in its checkpoint, as later versions of the WebUI do."""
    if V_MARK in marks:
        model.parameterization = "v"
    if ZERO_SNR_MARK in marks:
        model.alphas_cumprod = for_samplers(zero_terminal_snr(model.alphas_cumprod))


@torch.no_grad()
def predicts_v(unet: torch.nn.Module, context_dim: int) -> bool:
    """Tell whether an SD2 U-Net predicts v: on a constant input at the last step its answer is then far below it."""
    weight = next(unet.parameters())
    x = torch.full((1, LATENT_CHANNELS, 8, 8), 0.5, device=weight.device)
    context = torch.full((1, 2, context_dim), 0.5, device=weight.device)
    with torch.autocast("cuda", enabled=weight.dtype == torch.float16):
        out = unet(x, torch.tensor([999], device=weight.device), context=context)
    return bool((out.float() - x).mean() < -1)
