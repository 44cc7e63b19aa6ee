"""Writes a small checkpoint with random weights in SDXL's key layout, for tests that need a model but no meaning."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from tests.support.tiny_checkpoint import ROOT, VAE

_CLIP_WIDTH, POOLED_WIDTH, _SIZE_WIDTH = 16, 24, 4
TEXT_WIDTH = _CLIP_WIDTH + POOLED_WIDTH
WIDTHS = (TEXT_WIDTH, 64, 128)
"""Widths of the attention inputs: cross-attention, then self-attention at both levels that have any."""
VECTOR_WIDTH = POOLED_WIDTH + 6 * _SIZE_WIDTH
_VOCABULARY, _TOKENS, _LAYERS = 49408, 77, 2
ARCHITECTURE = "hnw-tiny-xl"
"""Name of the second text encoder's shape, which the WebUI's `open_clip` must be told of."""


def params(scaling: str = "EpsScaling") -> dict[str, Any]:
    """Return the parameters of the config, in sgm's format."""
    unet = {
        "adm_in_channels": VECTOR_WIDTH,
        "num_classes": "sequential",
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "attention_resolutions": [4, 2],
        "num_res_blocks": 1,
        "channel_mult": [1, 2, 4],
        "num_head_channels": 16,
        "use_linear_in_transformer": True,
        "transformer_depth": [1, 1, 2],
        "context_dim": TEXT_WIDTH,
        "use_spatial_transformer": True,
        "spatial_transformer_attn_type": "softmax-xformers",
        "legacy": False,
    }
    sgm = "sgm.modules.diffusionmodules"
    denoiser = {
        "num_idx": 1000,
        "weighting_config": {"target": f"{sgm}.denoiser_weighting.EpsWeighting"},
        "scaling_config": {"target": f"{sgm}.denoiser_scaling.{scaling}"},
        "discretization_config": {"target": f"{sgm}.discretizer.LegacyDDPMDiscretization"},
    }
    return {
        "scale_factor": 0.13025,
        "disable_first_stage_autocast": True,
        "denoiser_config": {"target": f"{sgm}.denoiser.DiscreteDenoiser", "params": denoiser},
        "conditioner_config": {"target": "sgm.modules.GeneralConditioner", "params": {"emb_models": _embedders()}},
        "network_config": {"target": f"{sgm}.openaimodel.UNetModel", "params": unet},
        "first_stage_config": {
            "target": "sgm.models.autoencoder.AutoencoderKLInferenceWrapper",
            "params": {"embed_dim": 4, "ddconfig": VAE, "lossconfig": {"target": "torch.nn.Identity"}},
        },
    }


def _embedders() -> list[dict[str, Any]]:
    """Return what the WebUI builds text encoders and embedders of sizes from."""
    root = "sgm.modules.encoders.modules"
    clip = {"layer": "hidden", "layer_idx": _LAYERS - 1}
    open_clip = {"arch": ARCHITECTURE, "version": "none", "layer": "penultimate"}
    open_clip |= {"always_return_pooled": True, "legacy": False}
    texts = (("FrozenCLIPEmbedder", clip), ("FrozenOpenCLIPEmbedder2", open_clip))
    sizes = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
    return [
        *({"input_key": "txt", "target": f"{root}.{name}", "params": params} for name, params in texts),
        *(
            {"input_key": key, "target": f"{root}.ConcatTimestepEmbedderND", "params": {"outdim": _SIZE_WIDTH}}
            for key in sizes
        ),
    ]


#: The first text encoder in the words of `transformers`, and the second in those of `open_clip`.
CLIP = {
    "vocab_size": _VOCABULARY,
    "hidden_size": _CLIP_WIDTH,
    "intermediate_size": 2 * _CLIP_WIDTH,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": 1,
    "max_position_embeddings": _TOKENS,
}
OPEN_CLIP = {
    "embed_dim": POOLED_WIDTH,
    "vision_cfg": {"image_size": 32, "patch_size": 32, "layers": 1, "width": 16, "head_width": 16},
    "text_cfg": {
        "context_length": _TOKENS,
        "vocab_size": _VOCABULARY,
        "width": POOLED_WIDTH,
        "heads": 1,
        "layers": _LAYERS,
    },
}


def write(folder: Path, name: str = "tiny-xl", seed: int = 0, scaling: str = "EpsScaling") -> Path:
    """Write NAME.safetensors (fp16, about 14 MB) and NAME.yaml into the folder; return the checkpoint's path."""
    for place in (ROOT, ROOT / "standalone"):
        if str(place) not in sys.path:
            sys.path.insert(0, str(place))
    from safetensors.torch import save_file

    config = params(scaling)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = {key: tensor.half().contiguous() for key, tensor in _weights(config)}
    path = Path(folder) / f"{name}.safetensors"
    save_file(weights, str(path))
    content = {"model": {"target": "sgm.models.diffusion.DiffusionEngine", "params": config}}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def _weights(config: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    from modules.sd_ldm import Autoencoder
    from modules.sd_models_xl import build_unet
    from transformers import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    for key, tensor in build_unet(config).state_dict().items():
        # The zero-initialised tensors of a fresh U-Net are filled too: its output would be exactly 0 otherwise.
        yield f"model.diffusion_model.{key}", tensor if tensor.any() else torch.randn_like(tensor) * 0.02
    first = config["first_stage_config"]["params"]
    for key, tensor in Autoencoder(first["embed_dim"], first["ddconfig"]).state_dict().items():
        yield f"first_stage_model.{key}", tensor
    clip = CLIPTextModel(CLIPTextConfig(**CLIP))
    for key, tensor in clip.state_dict().items():
        yield f"conditioner.embedders.0.transformer.{key}", tensor
    for key, tensor in _open_clip(POOLED_WIDTH):
        yield f"conditioner.embedders.1.model.{key}", tensor


def _open_clip(width: int) -> Iterator[tuple[str, Tensor]]:
    """Yield weights under the names of OpenCLIP's text model."""
    yield "positional_embedding", torch.randn(_TOKENS, width) * 0.01
    yield "text_projection", torch.randn(width, width) * width**-0.5
    yield "logit_scale", torch.ones(())
    yield "token_embedding.weight", torch.randn(_VOCABULARY, width) * 0.02
    norms = ["ln_final", *(f"transformer.resblocks.{layer}.ln_{place}" for layer in range(_LAYERS) for place in (1, 2))]
    for norm in norms:
        yield f"{norm}.weight", torch.ones(width)
        yield f"{norm}.bias", torch.zeros(width)
    shapes = {
        "attn.in_proj_": (3 * width, width),
        "attn.out_proj.": (width, width),
        "mlp.c_fc.": (4 * width, width),
        "mlp.c_proj.": (width, 4 * width),
    }
    for layer in range(_LAYERS):
        for name, (fan_out, fan_in) in shapes.items():
            yield f"transformer.resblocks.{layer}.{name}weight", torch.randn(fan_out, fan_in) * fan_in**-0.5
            yield f"transformer.resblocks.{layer}.{name}bias", torch.randn(fan_out) * 0.01
