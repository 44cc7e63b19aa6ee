"""Makes pictures with the demo's models: DDIM (Song et al. 2021), classifier-free guidance (Ho and Salimans 2022)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ldm.modules.diffusionmodules.openaimodel import UNetModel
from transformers import CLIPTextModel

from .models import LATENT_CHANNELS, TIMESTEPS, Autoencoder, alphas_cumprod
from .text import contexts_of, token_ids


@dataclass(frozen=True)
class Demo:
    """The three parts of the demo checkpoint, in evaluation mode."""

    autoencoder: Autoencoder
    unet: UNetModel
    text: CLIPTextModel

    def predictor(self, captions: Sequence[str]) -> Callable[[torch.Tensor, int], torch.Tensor]:
        """Return what predicts the noise in latents [batch, 4, h, w], one caption each, at a timestep."""
        context = contexts_of(self.text, captions)
        return lambda latents, timestep: self.unet(latents, torch.full((len(latents),), timestep), context)


@dataclass(frozen=True)
class Variant:
    """One of the demo's kin with its autoencoder, in evaluation mode."""

    autoencoder: Autoencoder
    model: Any

    def predictor(self, captions: Sequence[str]) -> Callable[[torch.Tensor, int], torch.Tensor]:
        """Return what predicts the noise in latents [batch, 4, h, w], one caption each, at a timestep."""
        ids, kept = token_ids(captions), alphas_cumprod()

        def predict(latents: torch.Tensor, timestep: int) -> torch.Tensor:
            found = self.model(latents, torch.full((len(latents),), timestep), ids, 1)
            if self.model.prediction == "eps":
                return found
            return kept[timestep].sqrt() * found + (1 - kept[timestep]).sqrt() * latents

        return predict


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
    demo: Demo | Variant, captions: Sequence[str], seeds: Sequence[int], sampling: Sampling | None = None
) -> torch.Tensor:
    """Return scaled latents [batch, 4, height / 8, width / 8], one for each caption and seed."""
    sampling = sampling or Sampling()
    noise = starting_noise(seeds, sampling.size)
    parts = []
    for start in range(0, len(noise), sampling.batch):
        chosen = slice(start, start + sampling.batch)
        parts.append(_ddim(demo, noise[chosen], list(captions[chosen]), sampling))
    return torch.cat(parts)


def _ddim(demo: Demo | Variant, latents: torch.Tensor, captions: list[str], sampling: Sampling) -> torch.Tensor:
    predict = demo.predictor(captions + [""] * len(captions))
    kept = torch.cat([alphas_cumprod(), torch.ones(1)])  # the last entry, index -1, is the finished picture
    times = [*np.linspace(TIMESTEPS - 1, 0, sampling.steps + 1).round().astype(int).tolist()[:-1], -1]
    for now, later in itertools.pairwise(times):
        wanted, empty = predict(latents.repeat(2, 1, 1, 1), now).chunk(2)
        noise = empty + sampling.cfg * (wanted - empty)
        clean = (latents - (1 - kept[now]).sqrt() * noise) / kept[now].sqrt()
        latents = kept[later].sqrt() * clean + (1 - kept[later]).sqrt() * noise
    return latents


@torch.no_grad()
def decode(demo: Demo | Variant, latents: torch.Tensor) -> torch.Tensor:
    """Return the pictures [batch, 3, height, width] in -1..1 of scaled latents."""
    return torch.cat([demo.autoencoder.decode(part) for part in latents.split(16)]).clamp(-1, 1)
