"""Pipelines of diffusers with random weights, of each family, and the plain definition of a hypernetwork in them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from torch import Tensor, nn

Change = Callable[[Tensor, int], Tensor]
_TEXT = {"SD1": 24, "SD2": 28, "SDXL": 40}
FAMILIES = tuple(_TEXT)


def widths(family: str) -> tuple[int, ...]:
    """Return the attention widths of a pipeline."""
    return (16, 32, _TEXT[family])


def make_unet(family: str) -> Any:
    """Return a U-Net with two blocks that have attention, of widths 16 and 32."""
    torch.manual_seed(1)
    special: dict[str, dict[str, Any]] = {
        "SD1": {},
        "SD2": {"use_linear_projection": True, "attention_head_dim": (2, 4)},
        "SDXL": {
            "use_linear_projection": True,
            "attention_head_dim": (2, 4),
            "transformer_layers_per_block": (1, 2),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 20,
        },
    }
    unet = diffusers.UNet2DConditionModel(
        **{
            "block_out_channels": (16, 32),
            "layers_per_block": 1,
            "sample_size": 8,
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": _TEXT[family],
            "attention_head_dim": 2,
            "norm_num_groups": 8,
            **special[family],
        }
    )
    return unet.eval().requires_grad_(False)


def make(family: str) -> Any:
    """Return a whole pipeline, which takes prompts as vectors."""
    unet = make_unet(family)
    torch.manual_seed(2)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    ).eval()
    prediction = "v_prediction" if family == "SD2" else "epsilon"
    scheduler = diffusers.DDIMScheduler(clip_sample=False, steps_offset=1, prediction_type=prediction)
    if family == "SDXL":
        pipe = diffusers.StableDiffusionXLPipeline(vae, None, None, None, None, unet, scheduler)
    else:
        pipe = diffusers.StableDiffusionPipeline(
            vae, None, None, unet, scheduler, None, None, requires_safety_checker=False
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(pipe: Any, prompt: int = 3) -> Tensor:
    """Return a picture of two steps with guidance [height, width, 3], from 0 to 1; `prompt` is a seed for its text."""
    draw = torch.Generator().manual_seed(prompt)
    width = pipe.unet.config.cross_attention_dim
    vectors = {name: torch.randn(1, 7, width, generator=draw) for name in ("prompt_embeds", "negative_prompt_embeds")}
    if "XL" in type(pipe).__name__:
        pooled = ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")
        vectors |= {name: torch.randn(1, 20, generator=draw) for name in pooled}
    images = pipe(
        **vectors, num_inference_steps=2, height=16, width=16, generator=draw, output_type="pt", guidance_scale=4.0
    ).images
    return images[0]


class _Plain(nn.Module):
    """`to_k(h(x))`, as the definition has it."""

    def __init__(self, projection: nn.Module, change: Change, side: int) -> None:
        super().__init__()
        self.projection, self.change, self.side = projection, change, side

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.change(x, self.side))


def with_plain(pipe: Any, change: Change) -> Any:
    """Return a copy of a pipeline whose every `to_k` and `to_v` sees `change(x, side)`, side 0 for k and 1 for v."""
    changed = copy.copy(pipe)
    changed.unet = copy.deepcopy(pipe.unet)
    for name, module in list(changed.unet.named_modules()):
        if name.endswith(("attn1", "attn2")):
            module.to_k, module.to_v = _Plain(module.to_k, change, 0), _Plain(module.to_v, change, 1)
    return changed
