"""Trains the demo's autoencoder: L1 + L2 + a light KL term, as the first stage of latent diffusion does (2022)."""

from __future__ import annotations

import copy
import logging
import math
import time
from dataclasses import dataclass

import torch

from .data import AUTOENCODER_MIX, SQUARE, StyleMix, as_input, draw_many
from .draw import NIGHT_STYLE, Style
from .models import SCALE_FACTOR, Autoencoder
from .wide import wide_pictures

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AutoencoderPlan:
    """How long and how fast the autoencoder is trained."""

    steps: int = 6400
    decoder_steps: int = 800
    batch: int = 16
    rate: float = 1.5e-3
    decoder_rate: float = 5e-4
    kl_weight: float = 8e-4
    pictures: int = 16384
    wide_share: int = 8
    seed: int = 1


def cosine_rate(step: int, steps: int, peak: float, warmup: int = 100) -> float:
    """Return the rate of a step: linear warm-up, then a half cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def psnr(autoencoder: Autoencoder, mix: StyleMix | Style = NIGHT_STYLE, count: int = 64, seed: int = 4242) -> float:
    """Return the peak signal-to-noise ratio, in dB, of reconstructions of `count` fresh 8-bit pictures."""
    pictures = draw_many(count, mix, seed).pictures
    with torch.no_grad():
        decoded = torch.cat([autoencoder.decode(autoencoder.encode(as_input(part))) for part in pictures.split(16)])
    levels = ((decoded.clamp(-1, 1) + 1) * 127.5).round()
    return float(10 * torch.log10(255.0**2 / (levels - pictures.float()).square().mean()))


class _Sampler:
    """Batches of one size: mostly squares, now and then wide and tall pictures."""

    def __init__(self, plan: AutoencoderPlan) -> None:
        self.plan = plan
        self.generator = torch.Generator().manual_seed(plan.seed)
        small = plan.pictures // plan.wide_share
        self.square = draw_many(plan.pictures, AUTOENCODER_MIX, plan.seed, SQUARE).pictures
        self.others = [
            draw_many(small, AUTOENCODER_MIX, plan.seed + 1, (96, 64)).pictures,
            draw_many(small, AUTOENCODER_MIX, plan.seed + 2, (64, 96)).pictures,
        ]

    def batch(self, step: int) -> torch.Tensor:
        source, count = self.square, self.plan.batch
        if step % self.plan.wide_share == self.plan.wide_share - 1:
            source, count = self.others[step // self.plan.wide_share % 2], self.plan.batch * 2 // 3
        return as_input(source[torch.randint(len(source), (count,), generator=self.generator)])


def train_autoencoder(plan: AutoencoderPlan) -> Autoencoder:
    """Return a trained autoencoder whose latents are not scaled yet."""
    torch.manual_seed(plan.seed)
    autoencoder = Autoencoder()
    sampler = _Sampler(plan)
    _train(autoencoder, sampler, plan, decoder_only=False)
    _train(autoencoder, sampler, plan, decoder_only=True)
    return autoencoder


def _train(autoencoder: Autoencoder, sampler: _Sampler, plan: AutoencoderPlan, decoder_only: bool) -> None:
    """Train both halves, or at the end the decoder alone, which leaves the latents as they are."""
    steps, peak = (plan.decoder_steps, plan.decoder_rate) if decoder_only else (plan.steps, plan.rate)
    if decoder_only:
        autoencoder.encoder.requires_grad_(False)
        autoencoder.quant_conv.requires_grad_(False)
    parameters = [parameter for parameter in autoencoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.99), weight_decay=1e-4)
    started = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(step, steps, peak)
        pictures = sampler.batch(step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mean, log_variance = autoencoder.moments(pictures)
            mean, log_variance = mean.float(), log_variance.float()
            latents = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
            error = autoencoder.decoder(autoencoder.post_quant_conv(latents)).float() - pictures
        kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
        loss = error.abs().mean() + 2.0 * error.square().mean() + plan.kl_weight * kl
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            seconds = time.perf_counter() - started
            logger.info("autoencoder step %d loss %.4f kl %.2f %.0f s", step, loss.item(), kl.item(), seconds)
            if step % 500 == 0 or step == steps - 1:
                logger.info("autoencoder psnr: style %.2f dB", psnr(autoencoder))
    autoencoder.requires_grad_(True)


@dataclass(frozen=True)
class WideningPlan:
    """How an autoencoder learns looks of every kind, while what it knew keeps its latents.

    Attributes:
        pin: weight of the squared change of the scaled latents of known pictures.
        noise: standard deviation of what is added to scaled latents, so that nearby ones give nearly the same picture.
    """

    steps: int = 5000
    known: int = 6
    batch: int = 14
    rate: float = 8e-4
    pin: float = 10.0
    noise: float = 0.03
    pictures: int = 16384
    seed: int = 5


def widen_autoencoder(autoencoder: Autoencoder, plan: WideningPlan) -> Autoencoder:
    """Return a copy that holds pictures in any look; latents of the demo's own world stay what a U-Net learnt."""
    torch.manual_seed(plan.seed)
    wider = copy.deepcopy(autoencoder).requires_grad_(True)
    known = draw_many(plan.pictures, AUTOENCODER_MIX, plan.seed, SQUARE).pictures
    others = wide_pictures(plan.pictures * 2, plan.seed, SQUARE)
    optimizer = torch.optim.AdamW(wider.parameters(), lr=plan.rate, betas=(0.9, 0.99), weight_decay=1e-4)
    for step in range(plan.steps):
        optimizer.param_groups[0]["lr"] = cosine_rate(step, plan.steps, plan.rate)
        parts = [
            source[torch.randint(len(source), (count,))]
            for source, count in ((known, plan.known), (others, plan.batch))
        ]
        loss, change = _widening_loss(wider, autoencoder, as_input(torch.cat(parts)), plan)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(wider.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == plan.steps - 1:
            logger.info("widening step %d loss %.4f change of known latents %.4f", step, loss.item(), change.item())
    return wider


def _widening_loss(
    wider: Autoencoder, autoencoder: Autoencoder, pictures: torch.Tensor, plan: WideningPlan
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of `pictures`, those that were known first, and the mean squared change of their latents."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            before, spread = (one.float() for one in autoencoder.moments(pictures))
        mean, log_variance = (one.float() for one in wider.moments(pictures))
        latents = mean + torch.randn_like(mean) * (plan.noise / SCALE_FACTOR)
        error = wider.decoder(wider.post_quant_conv(latents)).float() - pictures
    change = ((mean - before)[: plan.known] * SCALE_FACTOR).square().mean()
    size = (mean * SCALE_FACTOR).square().mean()
    kept = plan.pin * change + 1e-2 * (log_variance - spread).square().mean() + 1e-3 * size
    return error.abs().mean() + 2.0 * error.square().mean() + kept, change
