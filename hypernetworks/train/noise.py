"""The forward process: noise, timesteps and the target of the U-Net's prediction."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from ..base.errors import TrainingError
from ..conditioning import Conditioning
from ..kernels.devices import to_device
from ..ports import Ports
from .settings.loss import OF_CHECKPOINT, ZERO_SNR, LossSettings

_MAX_COARSENING = 16
_LEAST_SIGNAL = 4.8973451890853435e-08


@dataclass(frozen=True)
class NoisyBatch:
    """A micro-batch in the form that the U-Net takes.

    Attributes:
        noisy: [batch, 4, height, width].
        timesteps: [batch], int64.
        conditioning: of the batch.
        target: what the prediction should be, shaped like `noisy`.
        weights: in the loss, [batch, 1, height, width]; None where all are 1.
    """

    noisy: Tensor
    timesteps: Tensor
    conditioning: Conditioning
    target: Tensor
    weights: Tensor | None = None

    def part(self, places: slice) -> NoisyBatch:
        """Return the pictures at these places."""
        return replace(
            self,
            noisy=self.noisy[places],
            timesteps=self.timesteps[places],
            conditioning=self.conditioning.map(lambda part: part[places]),
            target=self.target[places],
            weights=None if self.weights is None else self.weights[places],
        )


@dataclass(frozen=True)
class NoiseProcess:
    """Draws timesteps and noise as the settings say.

    Attributes:
        alphas_cumprod: share of signal at each timestep, [timesteps], float32.
        prediction: "epsilon" or "v".
        settings: the settings of the loss.
        cycle: optimizer steps during which the highest timestep rises; 0 is off.
    """

    alphas_cumprod: Tensor
    prediction: str
    settings: LossSettings
    cycle: int = 0

    def __post_init__(self) -> None:
        if self.prediction not in ("epsilon", "v"):
            raise TrainingError(f"the checkpoint predicts {self.prediction!r}; only epsilon and v can be trained")

    def draw(self, latents: Tensor, conditioning: Conditioning, step: int, generator: torch.Generator) -> NoisyBatch:
        """Return the batch with a timestep and noise for each latent (DDPM, Ho et al. 2020; v, Salimans & Ho 2022).

        Args:
            latents: [batch, 4, height, width].
            conditioning: of the batch.
            step: optimizer step, for the noise scheduler.
            generator: on the CPU, so that every device gets the same numbers.
        """
        low, high = self.timestep_range(step)
        timesteps = torch.randint(low, high + 1, (len(latents),), generator=generator)
        noise = self.noise(latents, generator)
        return self.apply(latents, conditioning, to_device(timesteps, latents.device), noise)

    def apply(self, latents: Tensor, conditioning: Conditioning, timesteps: Tensor, noise: Tensor) -> NoisyBatch:
        """Return the batch for given timesteps [batch] and noise, shaped like `latents`."""
        signal = self.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        target = noise if self.prediction == "epsilon" else signal.sqrt() * noise - (1 - signal).sqrt() * latents
        return NoisyBatch(noisy, timesteps, conditioning, target)

    def timestep_range(self, step: int) -> tuple[int, int]:
        """Return the lowest and the highest timestep of an optimizer step.

        A noise scheduler starts at the lowest timestep and lets the highest rise in proportion to the steps done. A
        schedule with zero terminal SNR (Lin et al., 2023) has a last timestep of pure noise: epsilon says nothing
        about the picture there, so it is left out.
        """
        last = self._last_timestep
        low, high = min(self.settings.min_timestep, last), min(self.settings.max_timestep, last)
        if self.cycle:
            position = step % self.cycle if self.settings.noise_restarts else min(step, self.cycle)
            high = low + int((high - low) * position / self.cycle)
        return low, high

    @cached_property
    def _last_timestep(self) -> int:
        """The last timestep to train; found once, because reading a number from a GPU waits for all work there."""
        last = len(self.alphas_cumprod) - 1
        if self.prediction == "epsilon":
            shares = self.alphas_cumprod.tolist()
            while last > 0 and shares[last] <= 0:
                last -= 1
        return last

    def noise(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        """Return noise like `latents` [batch, 4, height, width], on their device, with all that is added to it."""
        noise = torch.randn(latents.shape, generator=generator)
        settings = self.settings
        if settings.multires_iterations:
            noise = _pyramid(noise, settings.multires_iterations, settings.multires_discount, generator)
        if settings.noise_offset or settings.adaptive_noise_offset:
            # Noise offset after Guttenberg, "Diffusion with Offset Noise" (2023).
            mean = latents.detach().float().mean((2, 3), keepdim=True)
            strength = (settings.noise_offset + settings.adaptive_noise_offset * mean.abs()).clamp(min=0.0)
            offset = torch.randn(*latents.shape[:2], 1, 1, generator=generator)
            return to_device(noise, latents.device) + strength * to_device(offset, latents.device)
        return to_device(noise, latents.device)


def as_chosen(ports: Ports, settings: LossSettings) -> Ports:
    """Return the ports with a U-Net that is taken, in previews too, for what the settings say."""
    if settings.prediction == settings.noise_schedule == OF_CHECKPOINT:
        return ports
    denoiser = copy.copy(ports.denoiser)
    if settings.prediction != OF_CHECKPOINT:
        denoiser.prediction = settings.prediction
    if settings.noise_schedule == ZERO_SNR:
        denoiser.alphas_cumprod = zero_terminal_snr(denoiser.alphas_cumprod)
    previewer = ports.previewer.predicting(denoiser.prediction, denoiser.alphas_cumprod)
    return replace(ports, denoiser=denoiser, previewer=previewer)


def zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """Return the shares of signal [timesteps] moved and scaled so that the last timestep has none.

    After Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2023), algorithm 1. A schedule
    that ends without signal stays as it is.
    """
    roots = alphas_cumprod.double().sqrt()
    moved = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return moved.square().to(alphas_cumprod.dtype)


def for_samplers(alphas_cumprod: Tensor) -> Tensor:
    """Return the shares of signal [timesteps] with a little at a step that has none, as the WebUI has it there.

    Samplers go by noise over signal, which would be infinite.
    """
    return alphas_cumprod.clamp(min=_LEAST_SIGNAL)


def _pyramid(noise: Tensor, iterations: int, discount: float, generator: torch.Generator) -> Tensor:
    """Return multi-resolution noise after Whitaker, "Multi-Resolution Noise for Diffusion Model Training" (2023)."""
    batch, channels, height, width = noise.shape
    rows, columns = height, width
    for layer in range(1, iterations + 1):
        shrink = 2 + 2 * torch.rand(1, generator=generator).item()
        rows, columns = max(1, int(rows / shrink)), max(1, int(columns / shrink))
        coarse = torch.randn(batch, channels, rows, columns, generator=generator)
        noise = noise + functional.interpolate(coarse, (height, width), mode="bilinear") * discount**layer
        if rows == columns == 1 or layer >= _MAX_COARSENING:
            break
    return noise / noise.std()
