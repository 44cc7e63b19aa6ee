"""The conditioning in the form of the loaded checkpoint: `ldm`'s, or with vector and sizes that of `sgm` (SDXL).

Forge has no `sgm`: there, sizes are embedded here, as `sgm` and Forge do.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ...hypernetworks.base.errors import TrainingError
from ...hypernetworks.conditioning import Conditioning
from . import attention_layers

#: What the embedders of `sgm` call the parts of `Conditioning.sizes`, two numbers each, in its order.
_SIZES = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
_REFINER = "aesthetic_score"
_LATENT_CHANNELS = 4
#: What the host calls a U-Net that takes what a picture looks like, from another encoder.
_UNCLIP = "crossattn-adm"
#: What a U-Net that takes a vector says of its classes.
_WITH_VECTOR = "sequential"
#: Width of an embedded number of a size, and the longest period in it (Vaswani et al. 2017, as `sgm` sets them).
_SIZE_WIDTH, _LONGEST = 256, 10_000.0


def check(model: Any) -> None:
    """Raise TrainingError where the checkpoint takes what training cannot give it."""
    if getattr(model, "is_sd3", False):
        raise TrainingError("checkpoints of this kind cannot be trained on; load an SD1, SD2 or SDXL checkpoint")
    # With nothing of that picture an inpainting model learns what its base does, but worse; with the picture itself it
    # has the answer before it. Instruct-pix2pix wants pairs of pictures.
    channels = int(getattr(attention_layers.unet_of(model), "in_channels", _LATENT_CHANNELS))
    if channels != _LATENT_CHANNELS or _is_unclip(model):
        raise TrainingError(
            f"the U-Net of this checkpoint takes a picture beside the text ({channels} channels), as those of "
            "inpainting, depth, instruct-pix2pix and unCLIP do; train on the model that it was made from, the "
            "network works in both"
        )
    keys = [embedder.input_key for embedder in _embedders(model)]
    if _REFINER in keys:
        raise TrainingError("SDXL's refiner only finishes pictures and cannot be trained on: load the base checkpoint")
    unknown = [key for key in keys if key not in ("txt", *_SIZES)]
    if unknown:
        raise TrainingError(f"the checkpoint takes {unknown[0]} besides texts and sizes, and cannot be trained on")


def vector_width(model: Any) -> int:
    """Return the width of the vector of a text; 0 where a checkpoint takes none."""
    unet: Any = attention_layers.unet_of(model)
    if getattr(unet, "num_classes", None) != _WITH_VECTOR:
        return 0
    sizes = _embedded(model, torch.zeros(1, 2 * len(_SIZES)))
    return int(unet.label_emb[0][0].in_features) - sum(each.shape[1] for each in sizes)


def encoded(model: Any, texts: list[str]) -> list[Conditioning]:
    """Return what the host's text encoder makes of texts, in float32; all are as long as the longest."""
    found = model.get_learned_conditioning(texts)
    if not isinstance(found, dict):
        return [Conditioning(text) for text in found.float()]
    # Behind the text's part of the vector are sizes that the host takes for a picture of its own.
    vectors = found["vector"][:, : vector_width(model)]
    return [Conditioning(*pair) for pair in zip(found["crossattn"].float(), vectors.float(), strict=True)]


def for_model(model: Any, conditioning: Conditioning, dtype: torch.dtype) -> dict[str, Any]:
    """Return the conditioning of a batch in the form that the host's `apply_model` takes."""
    text = conditioning.text.to(dtype)
    if conditioning.vector is None or conditioning.sizes is None:
        return {"c_crossattn": [text]}
    vector = torch.cat([conditioning.vector, *_embedded(model, conditioning.sizes.float())], dim=1)
    return {"crossattn": text, "vector": vector.to(dtype)}


def timestep_embedding(numbers: Tensor) -> Tensor:
    """Return numbers [count] as cosines and sines, [count, 256]."""
    half = _SIZE_WIDTH // 2
    steps = torch.arange(half, dtype=torch.float32, device=numbers.device) / half
    angles = numbers.float()[:, None] * torch.exp(-math.log(_LONGEST) * steps)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _is_unclip(model: Any) -> bool:
    """Tell whether the U-Net takes a vector that is no text's; Forge knows it by nothing else."""
    kind = getattr(getattr(model, "model", None), "conditioning_key", None)
    takes_vector = getattr(attention_layers.unet_of(model), "num_classes", None) == _WITH_VECTOR
    return kind == _UNCLIP or (takes_vector and not _embedders(model) and not getattr(model, "is_sdxl", False))


def _embedders(model: Any) -> list[Any]:
    return list(getattr(getattr(model, "conditioner", None), "embedders", ()))


@torch.no_grad()
def _embedded(model: Any, sizes: Tensor) -> list[Tensor]:
    """Return sizes [batch, 6] as the checkpoint's own embedders give them, each [batch, width], in their order."""
    if not _embedders(model):
        return [timestep_embedding(sizes.flatten()).view(len(sizes), -1)]
    pairs = dict(zip(_SIZES, sizes.split(2, dim=1), strict=True))
    return [embedder(pairs[embedder.input_key]) for embedder in _embedders(model) if embedder.input_key in pairs]
