"""The model: `ldm`'s U-Net and autoencoder parts joined with a text encoder, on the surface that the WebUI's has."""

from __future__ import annotations

from typing import Any

import torch
from hypernetwork_workbench.standalone.ldm_support import ldm, quiet
from torch import nn

from modules import devices
from modules.sd_text import TextEncoder, take_weights, text_config

openaimodel: Any = ldm("modules.diffusionmodules.openaimodel")
vae_parts = ldm("modules.diffusionmodules.model")
distributions = ldm("modules.distributions.distributions")
_LATENT_SIDE = 64


class UNet(openaimodel.UNetModel):
    """`ldm`'s U-Net for any latent size: where halving rounded up, the way back is cut to the skip's size."""

    def forward(self, x: Any, timesteps: Any = None, context: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Predict noise (or v) [batch, 4, h, w] for x at timesteps [batch] under context [batch, tokens, width]."""
        emb = self.time_embed(openaimodel.timestep_embedding(timesteps, self.model_channels).to(self.dtype))
        return through_blocks(self, x, emb, context)


def through_blocks(unet: Any, x: torch.Tensor, emb: torch.Tensor, context: Any) -> torch.Tensor:
    """Return the output of a U-Net's blocks for x and the embedding of timesteps [batch, channels]."""
    h = x.to(unet.dtype)
    skips = []
    for module in unet.input_blocks:
        h = module(h, emb, context)
        skips.append(h)
    h = unet.middle_block(h, emb, context)
    for module in unet.output_blocks:
        skip = skips.pop()
        h = module(torch.cat([h[..., : skip.shape[-2], : skip.shape[-1]], skip], dim=1), emb, context)
    return unet.out(h.to(x.dtype))


class Autoencoder(nn.Module):
    """The KL autoencoder of latent diffusion (Rombach et al. 2022): pictures [b, 3, 8h, 8w], latents [b, 4, h, w]."""

    def __init__(self, embed_dim: int, ddconfig: dict[str, Any]) -> None:
        super().__init__()
        self.encoder = vae_parts.Encoder(**ddconfig)
        self.decoder = vae_parts.Decoder(**ddconfig)
        self.quant_conv = nn.Conv2d(2 * ddconfig["z_channels"], 2 * embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, ddconfig["z_channels"], 1)

    def encode(self, x: torch.Tensor) -> Any:
        """Return the latent distribution of pictures in -1..1."""
        with devices.without_autocast():
            x = x.to(self.quant_conv.weight.dtype)
            return distributions.DiagonalGaussianDistribution(self.quant_conv(self.encoder(x)))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return the pictures, about -1..1, of latents."""
        with devices.without_autocast():
            return self.decoder(self.post_quant_conv(z.to(self.quant_conv.weight.dtype)))


class Diffusion(nn.Module):
    """U-Net and autoencoder with the noise schedule, without what encodes the texts."""

    alphas_cumprod: torch.Tensor
    betas: torch.Tensor
    cond_stage_model: Any

    def __init__(self, params: dict[str, Any], unet: nn.Module) -> None:
        super().__init__()
        first = params["first_stage_config"]["params"]
        # Where the WebUI's code looks for it: `model.diffusion_model`.
        self.model: Any = nn.ModuleDict({"diffusion_model": unet})
        ddconfig = {**first["ddconfig"], "attn_type": "vanilla"}
        with quiet():
            self.first_stage_model = Autoencoder(first["embed_dim"], ddconfig)
        self.parameterization: str | None = str(params.get("parameterization", "eps"))
        self.scale_factor = float(params.get("scale_factor", 0.18215))
        self.num_timesteps = int(params.get("timesteps", 1000))
        self.linear_start = float(params.get("linear_start", 0.00085))
        self.linear_end = float(params.get("linear_end", 0.012))
        self.sd_checkpoint_info: Any = None
        self.sd_model_hash: str | None = None

    def restore_buffers(self) -> None:
        """Compute the noise schedule: betas linear in their square root, as Stable Diffusion's."""
        roots = torch.linspace(self.linear_start**0.5, self.linear_end**0.5, self.num_timesteps, dtype=torch.float64)
        betas = roots**2
        self.register_buffer("betas", betas.float(), persistent=False)
        self.register_buffer("alphas_cumprod", torch.cumprod(1 - betas, 0).float(), persistent=False)
        self.cond_stage_model.restore_buffers()

    def decode_first_stage(self, z: torch.Tensor) -> torch.Tensor:
        """Return the pictures [batch, 3, h, w], about -1..1, of scaled latents."""
        return self.first_stage_model.decode(z / self.scale_factor)


class LatentDiffusion(Diffusion):
    """Stable Diffusion 1 and 2: with one text encoder."""

    def __init__(self, params: dict[str, Any], text_config: Any, skip: int = 0) -> None:
        with quiet():
            unet = UNet(**{**params["unet_config"]["params"], "use_checkpoint": False, "use_fp16": False})
        super().__init__(params, unet)
        #: Side of the latents that it was made for.
        self.image_size = int(params.get("image_size", _LATENT_SIDE))
        self.cond_stage_model = TextEncoder(text_config, skip)

    def get_learned_conditioning(self, texts: list[str]) -> torch.Tensor:
        """Return the context [batch, 77 * chunks, width] of a list of prompts."""
        return self.cond_stage_model(texts)

    def without_text(self, conditioning: torch.Tensor) -> torch.Tensor:
        """Return the conditioning of empty negative prompts as it is taken for guidance: unchanged."""
        return conditioning

    def encode_first_stage(self, x: torch.Tensor) -> Any:
        """Return the latent distribution of pictures [batch, 3, h, w] in -1..1, not yet scaled."""
        return self.first_stage_model.encode(x)

    def apply_model(self, x_noisy: torch.Tensor, t: torch.Tensor, cond: Any) -> torch.Tensor:
        """Return the U-Net's prediction; cond is a context tensor, a list of them, or a dict with `c_crossattn`."""
        if isinstance(cond, dict):
            cond = cond["c_crossattn"]
        context = torch.cat(cond, 1) if isinstance(cond, list) else cond
        return self.model.diffusion_model(x_noisy, t, context=context)


def hollow(params: dict[str, Any], state_dict: dict[str, torch.Tensor]) -> LatentDiffusion:
    """Return the model of a checkpoint without its weights, and name those of its text encoder as the model does.

    Its `parameterization` is None where the config does not say it and SD2's may be either.
    """
    text, is_sd2 = take_weights(state_dict)
    encoder = (params.get("cond_stage_config") or {}).get("params") or {}
    model = LatentDiffusion(params, text_config(text, encoder, is_sd2), skip=int(is_sd2))
    if "parameterization" not in params and is_sd2:
        model.parameterization = None
    state_dict.update({f"cond_stage_model.transformer.{key}": tensor for key, tensor in text.items()})
    return model
