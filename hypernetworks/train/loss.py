"""The loss: noisy batch in, scalar out."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ..ports import Denoiser
from ..settings import LossSettings
from .noise import NoisyBatch


def diffusion_loss(denoiser: Denoiser, batch: NoisyBatch, settings: LossSettings) -> Tensor:
    """Mean distance between prediction and target over the batch, float32 scalar.

    `l2` is the square; `huber` (Huber 1964) is the square below `huber_delta` and straight above, scaled so that both
    agree near zero.
    """
    prediction = denoiser.predict(batch.noisy, batch.timesteps, batch.conditioning).float()
    if settings.kind == "huber":
        delta = settings.huber_delta
        return 2 * functional.huber_loss(prediction, batch.target.float(), delta=delta)
    return functional.mse_loss(prediction, batch.target.float())
