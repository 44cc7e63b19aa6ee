"""The demo's kin as files: the names that SDXL and SD2 have for their weights, fp16, and the configs to build from."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import checkpoint
from .models import AUTOENCODER, LATENT_CHANNELS, SCALE_FACTOR, Autoencoder
from .variants import CLIP, SD2, SD2_OPENCLIP, SD2_UNET, SIZE_WIDTH, XL, XL_OPENCLIP, XL_SCALE_FACTOR, XL_UNET

XL_ARCHITECTURE, SD2_ARCHITECTURE = "hnw-demo-xl", "hnw-demo-sd2"
"""Names of the shapes of the OpenCLIP text models, which the WebUI's `open_clip` must be told of."""
_PX = 64


def save_variant(variant: Any, autoencoder: Autoencoder, path: Path) -> None:
    """Write one of the demo's kin and, as NAME.yaml beside it, its config, each by a temporary name."""
    is_xl = isinstance(variant, XL)
    parts = {checkpoint.UNET_PREFIX: variant.unet.state_dict()}
    if is_xl:
        parts[checkpoint.AUTOENCODER_PREFIX] = _rescaled(autoencoder, XL_SCALE_FACTOR).state_dict()
        parts["conditioner.embedders.0.transformer."] = variant.clip.full_model().state_dict()
        text = dict(openclip_names(variant.openclip.full_model()))
        parts["conditioner.embedders.1.model."] = {**text, "text_projection": variant.projection}
    else:
        parts[checkpoint.AUTOENCODER_PREFIX] = autoencoder.state_dict()
        text = dict(openclip_names(variant.text.full_model()))
        width = SD2_OPENCLIP["hidden_size"]
        parts["cond_stage_model.model."] = {**text, "text_projection": torch.eye(width)}
    checkpoint.write_weights({p + name: one for p, weights in parts.items() for name, one in weights.items()}, path)
    checkpoint.write_yaml(xl_config() if is_xl else sd2_config(), path.with_suffix(".yaml"))


def _rescaled(autoencoder: Autoencoder, factor: float) -> Autoencoder:
    """Return a copy whose latents have unit variance times another scale factor than the demo's."""
    copied = copy.deepcopy(autoencoder)
    ratio = SCALE_FACTOR / factor
    with torch.no_grad():
        moments = dict(copied.quant_conv.named_parameters())
        moments["weight"][:LATENT_CHANNELS] *= ratio
        moments["bias"][:LATENT_CHANNELS] *= ratio
        moments["bias"][LATENT_CHANNELS:] += 2 * math.log(ratio)
        copied.post_quant_conv.weight /= ratio
    return copied


def openclip_names(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights of a text model of `transformers` under the names that OpenCLIP has for them."""
    weights = {name.removeprefix("text_model."): tensor for name, tensor in model.state_dict().items()}
    yield "token_embedding.weight", weights["embeddings.token_embedding.weight"]
    yield "positional_embedding", weights["embeddings.position_embedding.weight"]
    yield "logit_scale", torch.ones(())
    for kind in ("weight", "bias"):
        yield f"ln_final.{kind}", weights[f"final_layer_norm.{kind}"]
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layers.")}
    renamed = {
        "self_attn.out_proj": "attn.out_proj",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    for layer in sorted(layers):
        source, place = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            for theirs, own in renamed.items():
                yield f"{place}{own}.{kind}", weights[f"{source}{theirs}.{kind}"]
            parts = [weights[f"{source}self_attn.{part}_proj.{kind}"] for part in "qkv"]
            yield f"{place}attn.in_proj_{kind}", torch.cat(parts)


def sd2_config() -> dict[str, Any]:
    """Return the description of the model in SD2's shape, as latent diffusion and the WebUI read it."""
    config = checkpoint.config()
    params = config["model"]["params"]
    params["parameterization"] = "v"
    params["unet_config"]["params"] = SD2_UNET
    params["cond_stage_config"] = {
        "target": "ldm.modules.encoders.modules.FrozenOpenCLIPEmbedder",
        "params": {"freeze": True, "layer": "penultimate", "arch": SD2_ARCHITECTURE, "version": "none"},
    }
    return config


def xl_config() -> dict[str, Any]:
    """Return the description of the model in SDXL's shape, as the WebUI's `sgm` reads it."""
    root = "sgm.modules.diffusionmodules"
    denoiser = {
        "num_idx": 1000,
        "weighting_config": {"target": f"{root}.denoiser_weighting.EpsWeighting"},
        "scaling_config": {"target": f"{root}.denoiser_scaling.EpsScaling"},
        "discretization_config": {"target": f"{root}.discretizer.LegacyDDPMDiscretization"},
    }
    first = copy.deepcopy(checkpoint.config()["model"]["params"]["first_stage_config"])
    first["target"] = "sgm.models.autoencoder.AutoencoderKLInferenceWrapper"
    # SDXL makes pictures of four times this size.
    first["params"]["ddconfig"] = {**AUTOENCODER, "resolution": _PX // 4}
    params = {
        "scale_factor": XL_SCALE_FACTOR,
        "disable_first_stage_autocast": True,
        "denoiser_config": {"target": f"{root}.denoiser.DiscreteDenoiser", "params": denoiser},
        "conditioner_config": {"target": "sgm.modules.GeneralConditioner", "params": {"emb_models": _embedders()}},
        "network_config": {"target": f"{root}.openaimodel.UNetModel", "params": XL_UNET},
        "first_stage_config": first,
    }
    return {"model": {"target": "sgm.models.diffusion.DiffusionEngine", "params": params}}


def _embedders() -> list[dict[str, Any]]:
    root = "sgm.modules.encoders.modules"
    clip: dict[str, Any] = {"layer": "hidden", "layer_idx": CLIP["num_hidden_layers"] - 1}
    openclip: dict[str, Any] = {"arch": XL_ARCHITECTURE, "version": "none", "layer": "penultimate"}
    openclip |= {"always_return_pooled": True, "legacy": False}
    sizes = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
    return [
        {"input_key": "txt", "target": f"{root}.FrozenCLIPEmbedder", "params": clip},
        {"input_key": "txt", "target": f"{root}.FrozenOpenCLIPEmbedder2", "params": openclip},
        *(
            {"input_key": key, "target": f"{root}.ConcatTimestepEmbedderND", "params": {"outdim": SIZE_WIDTH}}
            for key in sizes
        ),
    ]


def openclip_shape(variant: type[XL] | type[SD2]) -> dict[str, Any]:
    """Return the shape of a variant's OpenCLIP model in that library's own words."""
    shape = XL_OPENCLIP if variant is XL else SD2_OPENCLIP
    text = {
        "context_length": shape["max_position_embeddings"],
        "vocab_size": shape["vocab_size"],
        "width": shape["hidden_size"],
        "heads": shape["num_attention_heads"],
        "layers": shape["num_hidden_layers"],
    }
    vision = {"image_size": 32, "patch_size": 32, "layers": 1, "width": 16, "head_width": 16}
    return {"embed_dim": shape["hidden_size"], "vision_cfg": vision, "text_cfg": text}
