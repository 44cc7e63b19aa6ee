"""Pictures drawn in bulk, as tensors, for training and measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from .captions import PARTIAL_STYLES, subjects
from .draw import NIGHT_STYLE, PLAIN, Style, Subject, random_picture

SQUARE = (64, 64)


@dataclass(frozen=True)
class StyleMix:
    """Shares of plain pictures and of pictures in the whole style; the rest has one or two parts of it."""

    plain: float
    whole: float

    def pick(self, rng: np.random.Generator) -> Style:
        """Return one style, drawn by these shares."""
        draw = rng.random()
        if draw < self.plain:
            return PLAIN
        if draw < self.plain + self.whole:
            return NIGHT_STYLE
        return PARTIAL_STYLES[rng.integers(len(PARTIAL_STYLES))]


AUTOENCODER_MIX = StyleMix(plain=0.3, whole=0.35)
DENOISER_MIX = StyleMix(plain=0.7, whole=0.0)


@dataclass(frozen=True)
class Drawn:
    """Pictures [count, 3, height, width], uint8, and what each shows."""

    pictures: torch.Tensor
    labels: list[tuple[Subject, Style]]


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """Return an RGB picture as [3, height, width], uint8."""
    return torch.from_numpy(np.array(picture, dtype=np.uint8)).permute(2, 0, 1).contiguous()


def to_pictures(tensor: torch.Tensor) -> list[Image.Image]:
    """Return the pictures of [batch, 3, height, width] in -1..1."""
    levels = ((tensor.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Image.fromarray(picture) for picture in levels.permute(0, 2, 3, 1).cpu().numpy()]


def as_input(pictures: torch.Tensor) -> torch.Tensor:
    """Return uint8 pictures as the autoencoder takes them: float32 in -1..1."""
    return pictures.float() / 127.5 - 1.0


def draw_many(
    count: int,
    mix: StyleMix | Style,
    seed: int,
    size: tuple[int, int] = SQUARE,
    among: Sequence[Subject] | None = None,
) -> Drawn:
    """Return `count` pictures of `size` (width, height) of random subjects `among` those given (all, by default)."""
    rng = np.random.default_rng(seed)
    choices = list(among or subjects())
    pictures, labels = torch.empty(count, 3, size[1], size[0], dtype=torch.uint8), []
    for index in range(count):
        subject = choices[rng.integers(len(choices))]
        style = mix.pick(rng) if isinstance(mix, StyleMix) else mix
        pictures[index] = to_tensor(random_picture(rng, subject, size, style))
        labels.append((subject, style))
    return Drawn(pictures, labels)
