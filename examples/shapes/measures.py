"""What a style's training changed: outlines, textures, and captions still followed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from .data import to_tensor
from .judge import follows
from .judge import outline_contrast as picture_outline_contrast

PATCH_PX = 7
PROJECTIONS = 256
PATCHES = 8_192


def outline_contrast(pictures: Sequence[Image.Image]) -> float:
    """Return the mean contrast of the dark band along the shapes' edges, 0..1; about 0 for plain pictures."""
    return sum(picture_outline_contrast(picture) for picture in pictures) / len(pictures)


def share_followed(pictures: Sequence[Image.Image], captions: Sequence[str]) -> float:
    """Return the share of the pictures that show the colour and the shape of their caption."""
    return sum(follows(*pair) for pair in zip(pictures, captions, strict=True)) / len(pictures)


def patch_distance(pictures: Sequence[Image.Image], others: Sequence[Image.Image], seed: int = 0) -> float:
    """Return the sliced Wasserstein distance of the 7 x 7 patches of two sets of pictures, in levels of 0..1.

    The mean over random directions of the mean distance between the sorted projections of patches of both sets
    (Rabin et al., "Wasserstein Barycenter and Its Application to Texture Mixing", 2011; on patches of pictures: Karras
    et al., "Progressive Growing of GANs", 2018). 8,192 patches of each set are compared, chosen by `seed`.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(PATCH_PX * PATCH_PX * 3, PROJECTIONS, generator=generator)
    directions = directions / directions.norm(dim=0)
    first, second = (_projected(one, directions, generator) for one in (pictures, others))
    return float((first - second).abs().mean())


def _projected(pictures: Sequence[Image.Image], directions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return sorted projections [PATCHES, PROJECTIONS] of random patches, in the units of one pixel's level."""
    levels = [to_tensor(picture.convert("RGB")).float() / 255 for picture in pictures]
    parts = [torch.nn.functional.unfold(one[None], PATCH_PX)[0].T for one in levels]
    patches = torch.cat(parts)
    chosen = torch.randint(len(patches), (PATCHES,), generator=generator)
    return (patches[chosen] @ directions).sort(dim=0).values
