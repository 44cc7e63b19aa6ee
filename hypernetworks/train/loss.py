"""The loss: noisy batch in, scalar out."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..ports import Denoiser
from .noise import NoisyBatch
from .settings.loss import LossSettings


def diffusion_loss(denoiser: Denoiser, batch: NoisyBatch, settings: LossSettings) -> Tensor:
    """Mean weighted distance between prediction and target over the batch, float32 scalar."""
    prediction = denoiser.predict(batch.noisy, batch.timesteps, batch.conditioning).float()
    distances = _distances(prediction, batch.target.float(), batch.timesteps, settings, len(denoiser.alphas_cumprod))
    if batch.weights is not None:
        distances = distances * batch.weights
    losses = distances.mean((1, 2, 3))
    if settings.min_snr_gamma:
        losses = losses * min_snr_weights(denoiser, batch.timesteps, settings.min_snr_gamma)
    return losses.mean()


def min_snr_weights(denoiser: Denoiser, timesteps: Tensor, gamma: float) -> Tensor:
    """Weights [batch] after Hang et al., "Efficient Diffusion Training via Min-SNR Weighting Strategy" (2023).

    A timestep of pure noise has no signal: its weight is that of the limit, 1 for epsilon and 0 for v.
    """
    signal = denoiser.alphas_cumprod[timesteps].clamp(min=1e-8)
    snr = signal / (1 - signal).clamp(min=1e-8)
    bounded = snr.clamp(max=gamma)
    return bounded / snr if denoiser.prediction == "epsilon" else bounded / (snr + 1)


def _distances(prediction: Tensor, target: Tensor, timesteps: Tensor, settings: LossSettings, count: int) -> Tensor:
    """Distance of every number, [batch, 4, height, width].

    `l2` is the square. `huber` (Huber, 1964, in the smooth form of Charbonnier et al., 1994) is the square near zero
    and straight far from it. `scheduled huber` (Khrapov et al., 2024) lets its delta fall with the noise, so that
    clean timesteps keep the square.
    """
    square = (prediction - target).square()
    if settings.kind == "l2":
        return square
    delta = torch.full_like(timesteps, settings.huber_delta, dtype=torch.float32)
    if settings.kind == "scheduled huber":
        # From 1 at a clean picture down to the delta of the settings at pure noise.
        delta = torch.exp(math.log(settings.huber_delta) * timesteps.float() / max(count - 1, 1))
    delta = delta.view(-1, 1, 1, 1)
    return 2 * delta * (torch.sqrt(square + delta**2) - delta)
