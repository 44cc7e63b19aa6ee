"""Makes pictures with the demo's models: DDIM (Song et al. 2021), classifier-free guidance (Ho and Salimans 2022)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ldm.modules.diffusionmodules.openaimodel import UNetModel
from transformers import CLIPTextModel

from .models import LATENT_CHANNELS, TIMESTEPS, Autoencoder, alphas_cumprod
from .text import contexts_of


@dataclass(frozen=True)
class Demo:
    """The three parts of the demo checkpoint, in evaluation mode."""

    autoencoder: Autoencoder
    unet: UNetModel
    text: CLIPTextModel


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampler."""

    steps: int = 20
    cfg: float = 4.0
    size: tuple[int, int] = (64, 64)
    batch: int = 50


def starting_noise(seeds: Sequence[int], size: tuple[int, int]) -> torch.Tensor:
    """Return noise [batch, 4, height / 8, width / 8]; each seed gives its own picture, whatever the batch."""
    shape = (LATENT_CHANNELS, size[1] // 8, size[0] // 8)
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def sample_latents(
    demo: Demo, captions: Sequence[str], seeds: Sequence[int], sampling: Sampling | None = None
) -> torch.Tensor:
    """Return scaled latents [batch, 4, height / 8, width / 8], one for each caption and seed."""
    sampling = sampling or Sampling()
    noise = starting_noise(seeds, sampling.size)
    parts = []
    for start in range(0, len(noise), sampling.batch):
        chosen = slice(start, start + sampling.batch)
        parts.append(_ddim(demo, noise[chosen], list(captions[chosen]), sampling))
    return torch.cat(parts)


def _ddim(demo: Demo, latents: torch.Tensor, captions: list[str], sampling: Sampling) -> torch.Tensor:
    count = len(captions)
    context = contexts_of(demo.text, captions + [""] * count)
    kept = torch.cat([alphas_cumprod(), torch.ones(1)])  # the last entry, index -1, is the finished picture
    times = [*np.linspace(TIMESTEPS - 1, 0, sampling.steps + 1).round().astype(int).tolist()[:-1], -1]
    for now, later in itertools.pairwise(times):
        timesteps = torch.full((2 * count,), now)
        wanted, empty = demo.unet(latents.repeat(2, 1, 1, 1), timesteps, context).chunk(2)
        noise = empty + sampling.cfg * (wanted - empty)
        clean = (latents - (1 - kept[now]).sqrt() * noise) / kept[now].sqrt()
        latents = kept[later].sqrt() * clean + (1 - kept[later]).sqrt() * noise
    return latents


@torch.no_grad()
def decode(demo: Demo, latents: torch.Tensor) -> torch.Tensor:
    """Return the pictures [batch, 3, height, width] in -1..1 of scaled latents."""
    return torch.cat([demo.autoencoder.decode(part) for part in latents.split(16)]).clamp(-1, 1)
