"""The samplers: k-diffusion's functions around the model with classifier-free guidance, and their noise levels."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from hypernetwork_workbench.standalone.ldm_support import k_diffusion
from PIL import Image

from modules import devices, sd_schedulers, shared

sampling = k_diffusion("sampling")
external = k_diffusion("external")
schedules = [one.label for one in sd_schedulers.schedulers]


class InterruptedException(BaseException):
    """Leaves a sampler in the middle."""


class SamplerData(NamedTuple):
    """A sampler by its name, with the schedule that Automatic stands for."""

    name: str
    function: Callable[..., torch.Tensor]
    schedule: str = "Uniform"
    has_brownian_noise: bool = False
    discards_next_to_last_sigma: bool = False


def _ddim(model: Any, x: torch.Tensor, sigmas: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    """Run DDIM (Song et al. 2021) without noise: Euler's method in sigma, start and end scaled by sqrt(alpha)."""
    x = sampling.sample_euler(model, x * (1 + sigmas[0] ** -2) ** 0.5, sigmas, **kwargs)
    return x / (1 + sigmas[-1] ** 2) ** 0.5


def _plms(model: Any, x: torch.Tensor, sigmas: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    """Run PLMS, the multi-step part of PNDM (Liu et al. 2022): DDIM along the mean of the last noises; scaled as DDIM.

    The first step takes the mean of both its ends, as there is no noise before it.
    """
    x = x * (1 + sigmas[0] ** -2) ** 0.5
    given, callback, batch = kwargs["extra_args"], kwargs["callback"], x.new_ones([len(x)])
    noises: list[torch.Tensor] = []
    for i, (sigma, after) in enumerate(itertools.pairwise(sigmas)):
        denoised = model(x, sigma * batch, **given)
        noises = [*noises[-3:], (x - denoised) / sigma]
        callback({"i": i, "denoised": denoised})
        if len(noises) == 1 and len(sigmas) > _ONE_STEP:
            ahead = x + noises[0] * (after - sigma)
            noise = (noises[0] + (ahead - model(ahead, after * batch, **given)) / after) / 2
        else:
            weights = x.new_tensor(_PLMS[len(noises)]).view(-1, *[1] * x.ndim)
            noise = (weights * torch.stack(noises)).sum(0)
        x = x + noise * (after - sigma)
    return x / (1 + sigmas[-1] ** 2) ** 0.5


#: Weights of the last noises, by their number, the newest last.
_PLMS = {
    1: (1.0,),
    2: (-1 / 2, 3 / 2),
    3: (5 / 12, -16 / 12, 23 / 12),
    4: (-9 / 24, 37 / 24, -59 / 24, 55 / 24),
}
_ONE_STEP = 2  # levels


all_samplers = [
    SamplerData("DPM++ 2M", sampling.sample_dpmpp_2m, "Karras"),
    SamplerData("DPM++ SDE", sampling.sample_dpmpp_sde, "Karras", True),
    SamplerData("DPM++ 2M SDE", sampling.sample_dpmpp_2m_sde, "Exponential", True),
    SamplerData("DPM++ 2S a", sampling.sample_dpmpp_2s_ancestral, "Karras"),
    SamplerData("DPM++ 3M SDE", sampling.sample_dpmpp_3m_sde, "Exponential", True, True),
    SamplerData("Euler a", sampling.sample_euler_ancestral),
    SamplerData("Euler", sampling.sample_euler),
    SamplerData("LMS", sampling.sample_lms),
    SamplerData("Heun", sampling.sample_heun),
    SamplerData("DPM2", sampling.sample_dpm_2, "Karras", discards_next_to_last_sigma=True),
    SamplerData("DPM2 a", sampling.sample_dpm_2_ancestral, "Karras", discards_next_to_last_sigma=True),
    SamplerData("DDIM", _ddim, "DDIM"),
    SamplerData("PLMS", _plms, "DDIM"),
]
all_samplers_map = {sampler.name: sampler for sampler in all_samplers}


def sigmas_of(schedule: str, model: Any, steps: int) -> torch.Tensor:
    """Return the noise levels [steps + 1] of a schedule, descending; for DDIM the last one is not 0."""
    levels = model.sigmas
    low, high, last = model.sigma_min.item(), model.sigma_max.item(), len(levels) - 1
    if schedule == "Karras":
        return sampling.get_sigmas_karras(steps, low, high, device=levels.device)
    if schedule == "Exponential":
        return sampling.get_sigmas_exponential(steps, low, high, device=levels.device)
    if schedule == "DDIM":
        # DDIM's timesteps 1, 1 + n, 1 + 2n, ... for any number of steps.
        timesteps = (torch.arange(steps, device=levels.device) * len(levels) / steps).floor() + 1
        return torch.cat([model.t_to_sigma(timesteps.clamp(max=last).flip(0)), levels[:1]])
    return sampling.append_zero(model.t_to_sigma(torch.linspace(last, 0, steps, device=levels.device)))


class CFGDenoiser(torch.nn.Module):
    """Classifier-free guidance (Ho and Salimans 2022): both halves go through the U-Net as one batch."""

    def __init__(self, sd_model: Any) -> None:
        super().__init__()
        is_v = sd_model.parameterization == "v"
        self.inner_model = (external.CompVisVDenoiser if is_v else external.CompVisDenoiser)(sd_model)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor, cond: Any, uncond: Any, cond_scale: float) -> torch.Tensor:
        """Return the guided estimate of the clean latents [batch, 4, h, w]; stop where the user asked to."""
        if shared.state.interrupted:
            raise InterruptedException
        if cond_scale == 1:
            return self.inner_model(x, sigma, cond=cond)
        both = self.inner_model(torch.cat([x, x]), torch.cat([sigma, sigma]), cond=_joined(cond, uncond))
        positive, negative = both.chunk(2)
        return negative + (positive - negative) * cond_scale


def _joined(cond: Any, uncond: Any) -> Any:
    """Return two conditionings, tensors or dicts of tensors, as one batch."""
    if isinstance(cond, dict):
        return {key: torch.cat([tensor, uncond[key]]) for key, tensor in cond.items()}
    return torch.cat([cond, uncond])


class Sampler:
    """A sampler on a model."""

    def __init__(self, config: SamplerData, sd_model: Any) -> None:
        self.config = config
        self.model_wrap_cfg = CFGDenoiser(sd_model)
        self.model_wrap = self.model_wrap_cfg.inner_model
        self.last_latent: torch.Tensor | None = None

    def get_sigmas(self, p: Any) -> torch.Tensor:
        """Return the noise levels [steps + 1] of a job; DDIM has a schedule of its own."""
        is_own = self.config.schedule == "DDIM" or p.scheduler == "Automatic"
        schedule = self.config.schedule if is_own else p.scheduler
        if not self.config.discards_next_to_last_sigma:
            return sigmas_of(schedule, self.model_wrap, p.steps)
        sigmas = sigmas_of(schedule, self.model_wrap, p.steps + 1)
        return torch.cat([sigmas[:-2], sigmas[-1:]])

    def _callback(self, progress: dict[str, Any]) -> None:
        self.last_latent = shared.state.current_latent = progress["denoised"]
        shared.state.sampling_step = progress["i"]

    def sample(self, p: Any, noise: torch.Tensor, conditioning: Any, uncond: Any) -> torch.Tensor:
        """Return latents [batch, 4, h, w] from unit noise; if the user interrupts, as far as they are."""
        sigmas = self.get_sigmas(p).to(noise.device)
        x = noise * sigmas[0]
        shared.state.sampling_steps, shared.state.sampling_step = p.steps, 0
        self.last_latent = noise
        kwargs: dict[str, Any] = {}
        function = self.config.function
        if p.steps == 1 and self.config.has_brownian_noise:
            # One step to zero noise is Euler's for every sampler; these functions need two.
            function = sampling.sample_euler
        elif self.config.has_brownian_noise:
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


def create_sampler(name: str, model: Any) -> Sampler:
    """Return a sampler by its name."""
    return Sampler(all_samplers_map[name], model)


@torch.no_grad()
def decode_latents(latents: torch.Tensor) -> list[Image.Image]:
    """Return the pictures of latents [batch, 4, h, w], decoded one by one."""
    pictures = []
    for latent in latents:
        x = shared.sd_model.decode_first_stage(latent[None].float())[0]
        devices.test_for_nans(x, "autoencoder")
        array = ((x.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        pictures.append(Image.fromarray(np.ascontiguousarray(array)))
    return pictures
