"""Kin of the demo checkpoint in the shapes of SDXL and of SD2: same world, same sizes, other conditioning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from hypernetwork_workbench.standalone.ldm_support import sgm
from ldm.modules.diffusionmodules.openaimodel import UNetModel
from ldm.modules.diffusionmodules.util import timestep_embedding
from torch import nn

from .models import TEXT, UNET
from .text import SmallVocabulary, token_ids

XL_SCALE_FACTOR = 0.13025
HALF_WIDTH = UNET["context_dim"] // 2
"""Width of each of SDXL's two text encoders; together they are as wide as the demo's one."""
SIZE_WIDTH = 8
"""Width of the embedding of each of the six numbers that SDXL is told of a picture."""
LAYERS = 3
"""One more than the demo's text model has: SDXL and SD2 take their context before the last layer."""

CLIP: dict[str, Any] = {
    **TEXT,
    "hidden_size": HALF_WIDTH,
    "intermediate_size": 4 * HALF_WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 1,
    "projection_dim": HALF_WIDTH,
}
XL_OPENCLIP: dict[str, Any] = {**CLIP, "hidden_act": "gelu"}
SD2_OPENCLIP: dict[str, Any] = {
    **TEXT,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 1,
    "hidden_act": "gelu",
}

SD2_UNET: dict[str, Any] = {**UNET, "use_linear_in_transformer": True}
XL_UNET: dict[str, Any] = {
    **{name: value for name, value in SD2_UNET.items() if name not in {"image_size", "use_checkpoint"}},
    "num_classes": "sequential",
    "adm_in_channels": HALF_WIDTH + 6 * SIZE_WIDTH,
    "spatial_transformer_attn_type": "softmax-xformers",
}
_NOT_BUILT_WITH = {"use_spatial_transformer", "legacy", "spatial_transformer_attn_type"}


class SD2(nn.Module):
    """SD2's shape: one OpenCLIP text model, context before its last layer, and a U-Net that predicts v."""

    prediction = "v"

    def __init__(self) -> None:
        super().__init__()
        self.text = SmallVocabulary(SD2_OPENCLIP, padding=0)
        self.unet = UNetModel(**SD2_UNET)

    def context(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the context [batch, 77, width] of CLIP token numbers [batch, 77]."""
        hidden = self.text.outputs(ids).hidden_states[-2]
        return self.text.model.text_model.final_layer_norm(hidden)

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor, repeats: int) -> torch.Tensor:
        """Return the predicted v; every caption serves `repeats` pictures in a row."""
        context = self.context(ids).repeat_interleave(repeats, dim=0)
        return self.unet(noisy, timesteps, context)


class XL(nn.Module):
    """SDXL's shape: two text models side by side, and a vector of the second's pooled text and of the sizes."""

    prediction = "eps"

    def __init__(self) -> None:
        super().__init__()
        self.clip = SmallVocabulary(CLIP)
        self.openclip = SmallVocabulary(XL_OPENCLIP, padding=0)
        self.projection = nn.Parameter(torch.randn(HALF_WIDTH, HALF_WIDTH) * HALF_WIDTH**-0.5)
        params = {name: value for name, value in XL_UNET.items() if name not in _NOT_BUILT_WITH}
        openaimodel = sgm("modules.diffusionmodules.openaimodel")
        self.unet = openaimodel.UNetModel(**params, use_checkpoint=False, spatial_transformer_attn_type="softmax")
        nn.init.zeros_(self.unet.label_emb[0][2].weight)  # it starts as what a U-Net without a vector is
        nn.init.zeros_(self.unet.label_emb[0][2].bias)

    def context(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the context [batch, 77, width] of CLIP token numbers [batch, 77]."""
        return self._texts(ids)[0]

    def _texts(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.clip.outputs(ids).hidden_states[-2]
        second = self.openclip.outputs(ids)
        ends = ids.argmax(dim=-1)  # the end mark has the highest number
        pooled = second.last_hidden_state[torch.arange(len(ids)), ends] @ self.projection
        return torch.cat([first, second.hidden_states[-2]], dim=2), pooled

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, ids: torch.Tensor, repeats: int) -> torch.Tensor:
        """Return the predicted noise; every caption serves `repeats` pictures in a row, an empty one is zeros."""
        context, pooled = self._texts(ids)
        said = (ids != token_ids([""])).any(dim=1)
        context, pooled = context * said[:, None, None], pooled * said[:, None]
        vector = torch.cat([pooled.repeat_interleave(repeats, dim=0), _sizes(noisy)], dim=1)
        context = context.repeat_interleave(repeats, dim=0)
        return self.unet(noisy, timesteps, context=context, y=vector)


def _sizes(latents: torch.Tensor) -> torch.Tensor:
    """Return the embedding [batch, 48] of pictures that were neither scaled nor cropped."""
    height, width = 8 * latents.shape[2], 8 * latents.shape[3]
    numbers = torch.tensor([height, width, 0, 0, height, width])
    return timestep_embedding(numbers, SIZE_WIDTH).flatten().repeat(len(latents), 1)


def take_unet(variant: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Fill a variant's U-Net with the demo's weights; its 1x1 convolutions around attention become linear layers.

    Raises:
        ValueError: the shapes are not those of the demo.
    """
    unet: Any = variant.unet
    own = unet.state_dict()
    given = {name: weight.reshape(own[name].shape) for name, weight in weights.items()}
    found = unet.load_state_dict(given, strict=False)
    if found.unexpected_keys or not all(name.startswith("label_emb.") for name in found.missing_keys):
        raise ValueError(f"weights: they do not fill the U-Net, which lacks {', '.join(found.missing_keys)}.")
