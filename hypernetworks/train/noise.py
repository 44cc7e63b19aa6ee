"""The forward process: noise, timesteps and the target the U-Net is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import TrainingError


@dataclass(frozen=True)
class NoisyBatch:
    """A micro-batch as the U-Net sees it.

    Attributes:
        noisy: [batch, 4, height, width].
        timesteps: [batch], int64.
        conditioning: [batch, tokens, width].
        target: what the prediction should be, shaped like `noisy`.
    """

    noisy: Tensor
    timesteps: Tensor
    conditioning: Tensor
    target: Tensor


def add_noise(
    latents: Tensor, conditioning: Tensor, alphas_cumprod: Tensor, prediction: str, generator: torch.Generator
) -> NoisyBatch:
    """Draws a timestep and noise for each latent, after Ho et al., DDPM (2020); v after Salimans & Ho (2022).

    Args:
        latents: [batch, 4, height, width].
        conditioning: [batch, tokens, width].
        alphas_cumprod: [timesteps], on the device of the latents.
        prediction: "epsilon" or "v".
        generator: on the CPU, so that every device sees the same draw.

    Raises:
        TrainingError: the kind of prediction is unknown.
    """
    device = latents.device
    timesteps = torch.randint(len(alphas_cumprod), (len(latents),), generator=generator)
    noise = torch.randn(latents.shape, generator=generator).to(device)
    timesteps = timesteps.to(device)
    signal = alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    if prediction == "epsilon":
        target = noise
    elif prediction == "v":
        target = signal.sqrt() * noise - (1 - signal).sqrt() * latents
    else:
        raise TrainingError(f"the checkpoint predicts {prediction!r}; only epsilon and v can be trained")
    return NoisyBatch(noisy, timesteps, conditioning, target)
