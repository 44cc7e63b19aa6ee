"""SDXL: the U-Net of `sgm` with two text encoders and the sizes of the picture, on the surface that the WebUI's has."""

from __future__ import annotations

from typing import Any

import torch
from hypernetwork_workbench.standalone.ldm_support import sgm
from torch import nn

from modules.sd_ldm import Diffusion, through_blocks
from modules.sd_text import TextEncoder, openclip_to_transformers, text_config

openaimodel: Any = sgm("modules.diffusionmodules.openaimodel")
State = dict[str, torch.Tensor]
Conditioning = dict[str, torch.Tensor]

SIZES = ("original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple")
"""What SDXL is told of a picture besides its text (Podell et al. 2023), each two numbers, height or top first."""
_NUMBERS = 2 * len(SIZES)
_DEFAULT_PX = 1024
_CLIP, _OPENCLIP = "conditioner.embedders.0.", "conditioner.embedders.1."
_UNUSED = ("use_fp16", "use_spatial_transformer", "legacy", "use_fairscale_checkpoint", "offload_to_cpu")


class UNet(openaimodel.UNetModel):
    """`sgm`'s U-Net for any latent size: where halving rounded up, the way back is cut to the skip's size."""

    dtype = torch.float32

    def forward(self, x: Any, timesteps: Any = None, context: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Predict noise (or v) [batch, 4, h, w] for x at timesteps [batch], under context and y [batch, width]."""
        embedded = openaimodel.timestep_embedding(timesteps, self.model_channels)
        emb = self.time_embed(embedded.to(self.dtype)) + self.label_emb(y.to(self.dtype))
        return through_blocks(self, x, emb, context)


class ClipText(TextEncoder):
    """The first text encoder: CLIP's layer before the last one, as it is."""

    input_key = "txt"

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the context [chunks, 77, width] of token ids [chunks, 77]."""
        return self.transformer(tokens, output_hidden_states=True).hidden_states[-2]


class OpenClipText(TextEncoder):
    """The second text encoder: OpenCLIP's layer before the last one, and the pooled vector of the last one."""

    input_key = "txt"
    textual_inversion_key = "clip_g"

    def __init__(self, config: Any, pooled_width: int) -> None:
        super().__init__(config, skip=1)
        self.text_projection = nn.Parameter(torch.empty(config.hidden_size, pooled_width))
        self._pooled: torch.Tensor | None = None

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the context [chunks, 77, width] of token ids [chunks, 77]; keep the vector of each chunk."""
        output = self.transformer(tokens, output_hidden_states=True)
        # The end mark has the highest number.
        last = output.last_hidden_state[torch.arange(len(tokens)), tokens.argmax(dim=-1)]
        self._pooled = last @ self.text_projection
        return output.hidden_states[-2]

    def forward(self, texts: list[str]) -> Any:
        """Return the context [batch, 77 * chunks, width] and, of the first chunk, the vector [batch, width]."""
        context = super().forward(texts)
        pooled, self._pooled = self._pooled, None
        return context, pooled.unflatten(0, (len(texts), -1))[:, 0]  # type: ignore[union-attr]


class ConcatTimestepEmbedderND(nn.Module):
    """Embeds each of a picture's numbers [batch, 2] as a timestep is: [batch, 2 * width]."""

    def __init__(self, input_key: str, outdim: int) -> None:
        super().__init__()
        self.input_key, self.outdim = input_key, outdim
        self.timestep = openaimodel.Timestep(outdim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the embedding."""
        return self.timestep(x.flatten()).reshape(len(x), -1)


class Conditioner(nn.Module):
    """Both text encoders and the sizes: prompts in, context (`crossattn`) and vector (`vector`) out."""

    def __init__(self, embedders: list[nn.Module]) -> None:
        super().__init__()
        self.embedders: Any = nn.ModuleList(embedders)

    def restore_buffers(self) -> None:
        """Fill what building on "meta" leaves empty."""
        for embedder in self.embedders[:2]:
            embedder.restore_buffers()

    def get_token_count(self, text: str) -> int:
        """Return the number of tokens of a prompt without marks and padding, as the WebUI counts them."""
        return self.embedders[0].get_token_count(text)

    def forward(self, batch: dict[str, Any]) -> Conditioning:
        """Return {"crossattn": [batch, tokens, width], "vector": [batch, width]}."""
        clip, (openclip, pooled) = (embedder(batch["txt"]) for embedder in self.embedders[:2])
        sizes = [embedder(batch[embedder.input_key]).to(pooled.dtype) for embedder in self.embedders[2:]]
        return {"crossattn": torch.cat([clip, openclip], dim=2), "vector": torch.cat([pooled, *sizes], dim=1)}


def build_unet(params: dict[str, Any]) -> UNet:
    """Return the U-Net of a config, with new weights."""
    given = {key: value for key, value in params["network_config"]["params"].items() if key not in _UNUSED}
    return UNet(**{**given, "use_checkpoint": False, "spatial_transformer_attn_type": "softmax"})


class DiffusionEngine(Diffusion):
    """SDXL."""

    def __init__(self, params: dict[str, Any], clip: Any, openclip: Any, pooled_width: int) -> None:
        unet = build_unet(params)
        super().__init__(params, unet)
        scaling = (params.get("denoiser_config") or {}).get("params", {}).get("scaling_config") or {}
        self.parameterization = "v" if str(scaling.get("target", "")).endswith(".VScaling") else "eps"
        outdim = (unet.label_emb[0][0].in_features - pooled_width) // _NUMBERS
        sizes = [ConcatTimestepEmbedderND(key, outdim) for key in SIZES]
        self.conditioner = Conditioner([ClipText(clip), OpenClipText(openclip, pooled_width), *sizes])

    @property
    def cond_stage_model(self) -> Any:
        """Where the WebUI's code looks for the text encoder."""
        return self.conditioner

    def get_learned_conditioning(self, texts: list[str]) -> Conditioning:
        """Return context and vector of prompts; a `prompt_parser.SdConditioning` brings the size of the picture."""
        size = [getattr(texts, side, None) or _DEFAULT_PX for side in ("height", "width")]
        device = self.conditioner.embedders[1].text_projection.device
        numbers = {key: [[0, 0] if key.startswith("crop") else size] * len(texts) for key in SIZES}
        tensors = {key: torch.tensor(value, device=device, dtype=torch.float32) for key, value in numbers.items()}
        return self.conditioner({"txt": list(texts), **tensors})

    def without_text(self, conditioning: Conditioning) -> Conditioning:
        """Return the conditioning of empty negative prompts as it is taken for guidance: zeros, beside the sizes."""
        vector = conditioning["vector"].clone()
        vector[:, : self.conditioner.embedders[1].text_projection.shape[1]] = 0
        return {"crossattn": torch.zeros_like(conditioning["crossattn"]), "vector": vector}

    def encode_first_stage(self, x: torch.Tensor) -> torch.Tensor:
        """Return latents [batch, 4, h, w], scaled, drawn for pictures in -1..1, as `sgm` does."""
        return self.scale_factor * self.first_stage_model.encode(x).sample()

    def apply_model(self, x_noisy: torch.Tensor, t: torch.Tensor, cond: Conditioning) -> torch.Tensor:
        """Return the U-Net's prediction."""
        return self.model.diffusion_model(x_noisy, t, context=cond["crossattn"], y=cond["vector"])


def hollow(params: dict[str, Any], state_dict: State) -> DiffusionEngine:
    """Return the model of a checkpoint without its weights, and name those of its text encoders as the model does."""
    clip, openclip = (_taken(state_dict, prefix) for prefix in (_CLIP, _OPENCLIP))
    projection = openclip["model.text_projection"]
    texts = _without("transformer.", clip), openclip_to_transformers(openclip)
    configs = (text_config(texts[0], {}, False), text_config(texts[1], {}, True))
    for prefix, text in zip((_CLIP, _OPENCLIP), texts, strict=True):
        state_dict.update({f"{prefix}transformer.{key}": tensor for key, tensor in text.items()})
    state_dict[f"{_OPENCLIP}text_projection"] = projection
    return DiffusionEngine(params, *configs, pooled_width=projection.shape[1])


def _taken(state_dict: State, prefix: str) -> State:
    return {key.removeprefix(prefix): state_dict.pop(key) for key in list(state_dict) if key.startswith(prefix)}


def _without(root: str, weights: State) -> State:
    return {key.removeprefix(root): tensor for key, tensor in weights.items() if key.startswith(root)}
