"""Noise per picture: each has a generator of its own, so that it depends on its seed and on nothing beside it."""

from __future__ import annotations

import torch

from modules import devices


class ImageRNG:
    """Draws noise [batch, *shape] with one generator per seed. On the CPU, to be the same on every device."""

    def __init__(self, shape: tuple[int, ...], seeds: list[int]) -> None:
        self.shape = shape
        self.seeds = seeds
        self.generators = [torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds]

    def next(self) -> torch.Tensor:
        """Fresh noise for every picture."""
        noise = [torch.randn(self.shape, generator=generator) for generator in self.generators]
        return torch.stack(noise).to(devices.device)
