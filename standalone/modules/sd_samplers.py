"""The samplers: k-diffusion's functions around the model with classifier-free guidance."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from hypernetwork_workbench.standalone.ldm_support import k_diffusion
from PIL import Image

from modules import devices, sd_schedulers, shared

sampling = k_diffusion("sampling")
external = k_diffusion("external")


class InterruptedException(BaseException):
    """Leaves a sampler in the middle."""


@dataclass
class SamplerData:
    """A sampler by its name."""

    name: str
    function: Callable[..., torch.Tensor]
    aliases: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


def _ddim(model: Any, x: torch.Tensor, sigmas: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    """DDIM (Song et al. 2021) without noise: Euler's method in sigma, for a start and an end scaled by sqrt(alpha)."""
    x = sampling.sample_euler(model, x * (1 + sigmas[0] ** -2) ** 0.5, sigmas, **kwargs)
    return x / (1 + sigmas[-1] ** 2) ** 0.5


_KARRAS, _EXPONENTIAL, _BROWNIAN = {"scheduler": "Karras"}, {"scheduler": "Exponential"}, {"brownian_noise": True}
_DISCARD = {"discard_next_to_last_sigma": True}

all_samplers = [
    SamplerData("DPM++ 2M", sampling.sample_dpmpp_2m, ["k_dpmpp_2m"], _KARRAS),
    SamplerData("DPM++ SDE", sampling.sample_dpmpp_sde, ["k_dpmpp_sde"], {**_KARRAS, **_BROWNIAN}),
    SamplerData("DPM++ 2M SDE", sampling.sample_dpmpp_2m_sde, ["k_dpmpp_2m_sde"], {**_EXPONENTIAL, **_BROWNIAN}),
    SamplerData("DPM++ 2S a", sampling.sample_dpmpp_2s_ancestral, ["k_dpmpp_2s_a"], _KARRAS),
    SamplerData(
        "DPM++ 3M SDE", sampling.sample_dpmpp_3m_sde, ["k_dpmpp_3m_sde"], {**_EXPONENTIAL, **_BROWNIAN, **_DISCARD}
    ),
    SamplerData("Euler a", sampling.sample_euler_ancestral, ["k_euler_a", "k_euler_ancestral"]),
    SamplerData("Euler", sampling.sample_euler, ["k_euler"]),
    SamplerData("LMS", sampling.sample_lms, ["k_lms"]),
    SamplerData("Heun", sampling.sample_heun, ["k_heun"]),
    SamplerData("DPM2", sampling.sample_dpm_2, ["k_dpm_2"], {**_KARRAS, **_DISCARD}),
    SamplerData("DPM2 a", sampling.sample_dpm_2_ancestral, ["k_dpm_2_a"], {**_KARRAS, **_DISCARD}),
    SamplerData("DDIM", _ddim, ["ddim"], {"scheduler": "DDIM"}),
]
all_samplers_map = {sampler.name: sampler for sampler in all_samplers}
samplers = samplers_for_img2img = all_samplers
samplers_map = {alias.lower(): s.name for s in all_samplers for alias in (s.name, *s.aliases)}


def find_sampler_config(name: str | None) -> SamplerData | None:
    """The sampler of a name, the first one for None."""
    return all_samplers[0] if name is None else all_samplers_map.get(samplers_map.get(name.lower(), name))


def visible_sampler_names() -> list[str]:
    """Names for the page."""
    return [sampler.name for sampler in all_samplers]


class CFGDenoiser(torch.nn.Module):
    """Classifier-free guidance (Ho and Salimans 2022): both halves go through the U-Net as one batch."""

    def __init__(self, sd_model: Any) -> None:
        super().__init__()
        is_v = sd_model.parameterization == "v"
        self.inner_model = (external.CompVisVDenoiser if is_v else external.CompVisDenoiser)(sd_model)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, cond: Any, uncond: Any, cond_scale: float) -> torch.Tensor:
        """The guided guess of the clean latents [batch, 4, h, w]; stops where the user asked to."""
        if shared.state.interrupted or shared.state.skipped:
            raise InterruptedException
        if cond_scale == 1:
            return self.inner_model(x, sigma, cond=cond)
        both = self.inner_model(torch.cat([x, x]), torch.cat([sigma, sigma]), cond=torch.cat([cond, uncond]))
        positive, negative = both.chunk(2)
        return negative + (positive - negative) * cond_scale


class Sampler:
    """A sampler on a model."""

    def __init__(self, config: SamplerData, sd_model: Any) -> None:
        self.config = config
        self.model_wrap_cfg = CFGDenoiser(sd_model)
        self.model_wrap = self.model_wrap_cfg.inner_model
        self.last_latent: torch.Tensor | None = None

    def get_sigmas(self, p: Any, steps: int) -> torch.Tensor:
        """The noise levels [steps + 1], falling; for DDIM the last one is not 0."""
        wanted = getattr(p, "scheduler", None) or "Automatic"
        own = self.config.options.get("scheduler")
        name = own if own == "DDIM" or wanted == "Automatic" else wanted
        if self.config.options.get("discard_next_to_last_sigma"):
            sigmas = sd_schedulers.sigmas(name, self.model_wrap, steps + 1)
            return torch.cat([sigmas[:-2], sigmas[-1:]])
        return sd_schedulers.sigmas(name, self.model_wrap, steps)

    def _callback(self, progress: dict[str, Any]) -> None:
        self.last_latent = progress["denoised"]
        shared.state.current_latent = self.last_latent
        shared.state.sampling_step = progress["i"]

    def sample(self, p: Any, noise: torch.Tensor, conditioning: torch.Tensor, uncond: torch.Tensor) -> torch.Tensor:
        """Latents [batch, 4, h, w] out of unit noise; what there is so far if the user interrupts."""
        sigmas = self.get_sigmas(p, p.steps).to(noise.device)
        x = noise * sigmas[0]
        shared.state.sampling_steps, shared.state.sampling_step = p.steps, 0
        self.last_latent = noise
        kwargs: dict[str, Any] = {}
        function = self.config.function
        if p.steps == 1 and self.config.options.get("brownian_noise"):
            # One step to zero noise is Euler's for every sampler; these functions need two.
            function = sampling.sample_euler
        elif self.config.options.get("brownian_noise"):
            # A hair wider than the levels: torchsde warns where rounding puts one outside.
            low, high = sigmas[sigmas > 0].min() * (1 - 1e-4), sigmas.max() * (1 + 1e-4)
            kwargs["noise_sampler"] = sampling.BrownianTreeNoiseSampler(x, low, high, seed=list(p.rng.seeds))
        elif "noise_sampler" in inspect.signature(function).parameters:
            kwargs["noise_sampler"] = lambda sigma, sigma_next: p.rng.next()
        guide = {"cond": conditioning, "uncond": uncond, "cond_scale": p.cfg_scale}
        try:
            # Some samplers draw noise that they then multiply by 0: the program's own random stream stays as it is.
            with torch.random.fork_rng(devices=[devices.device] if devices.device.type == "cuda" else []):
                return function(
                    self.model_wrap_cfg, x, sigmas, extra_args=guide, callback=self._callback, disable=True, **kwargs
                )
        except InterruptedException:
            return self.last_latent


def create_sampler(name: str | None, model: Any) -> Sampler:
    """A sampler by name; raises ValueError for a name that there is not."""
    config = find_sampler_config(name)
    if config is None:
        raise ValueError(f"There is no sampler {name!r}.")
    return Sampler(config, model)


@torch.no_grad()
def decode_latents(latents: torch.Tensor) -> list[Image.Image]:
    """Pictures of latents [batch, 4, h, w], decoded one by one."""
    pictures = []
    for latent in latents:
        x = shared.sd_model.decode_first_stage(latent[None].float())[0]
        devices.test_for_nans(x, "autoencoder")
        array = ((x.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        pictures.append(Image.fromarray(np.ascontiguousarray(array)))
    return pictures


def sample_to_image(samples: torch.Tensor, index: int = 0, approximation: int | None = None) -> Image.Image:
    """The picture of one latent of a batch, for previews."""
    return decode_latents(samples[index : index + 1])[0]
