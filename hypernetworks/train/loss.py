"""The loss: noisy batch in, scalar out."""

from __future__ import annotations

from torch import Tensor

from ..ports import Denoiser
from .noise import NoisyBatch
from .optim.losses import LOSSES, Residuals
from .settings.loss import LossSettings


def diffusion_loss(denoiser: Denoiser, batch: NoisyBatch, settings: LossSettings) -> Tensor:
    """Return the mean weighted distance between prediction and target over the batch, a float32 scalar."""
    return picture_losses(denoiser, batch, settings).mean()


def picture_losses(denoiser: Denoiser, batch: NoisyBatch, settings: LossSettings) -> Tensor:
    """Return the weighted distance between prediction and target of each picture, [batch], float32."""
    prediction = denoiser.predict(batch.noisy, batch.timesteps, batch.conditioning).float()
    residuals = Residuals(prediction - batch.target.float(), batch.timesteps, len(denoiser.alphas_cumprod))
    distances = LOSSES[settings.kind].distance(residuals, settings)
    if batch.weights is not None:
        distances = distances * batch.weights
    losses = distances.mean((1, 2, 3))
    if settings.min_snr_gamma:
        losses = losses * min_snr_weights(denoiser, batch.timesteps, settings.min_snr_gamma)
    return losses


def min_snr_weights(denoiser: Denoiser, timesteps: Tensor, gamma: float) -> Tensor:
    """Return weights [batch] after Hang et al., "Efficient Diffusion Training via Min-SNR Weighting Strategy" (2023).

    A timestep of pure noise has no signal; its weight is the limit, 1 for epsilon and 0 for v.
    """
    signal = denoiser.alphas_cumprod[timesteps].clamp(min=1e-8)
    snr = signal / (1 - signal).clamp(min=1e-8)
    bounded = snr.clamp(max=gamma)
    return bounded / snr if denoiser.prediction == "epsilon" else bounded / (snr + 1)
