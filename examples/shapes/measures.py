"""What a style's training changed: distance to the style in latents, outlines, and captions still followed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from .judge import follows
from .judge import outline_contrast as picture_outline_contrast


def frechet_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the Fréchet distance (Dowson and Landau, 1982) between latents [batch, channels, height, width].

    Every position counts as one sample of the channels, and both sides are taken as normal distributions.
    """
    mean_1, covariance_1 = _moments(first)
    mean_2, covariance_2 = _moments(second)
    root_1 = _matrix_root(covariance_1)
    cross = _matrix_root(root_1 @ covariance_2 @ root_1)
    spread = torch.trace(covariance_1 + covariance_2 - 2 * cross)
    return float(((mean_1 - mean_2).square().sum() + spread).clamp(min=0.0))


def _moments(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    samples = latents.double().permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    return samples.mean(dim=0), torch.cov(samples.T)


def _matrix_root(matrix: torch.Tensor) -> torch.Tensor:
    """Return the symmetric square root of a symmetric, positive semi-definite matrix."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return vectors @ torch.diag(values.clamp(min=0.0).sqrt()) @ vectors.T


def outline_contrast(pictures: Sequence[Image.Image]) -> float:
    """Return the mean contrast of the dark band along the shapes' edges, 0..1; about 0 for plain pictures."""
    return sum(picture_outline_contrast(picture) for picture in pictures) / len(pictures)


def share_followed(pictures: Sequence[Image.Image], captions: Sequence[str]) -> float:
    """Return the share of the pictures that show the colour and the shape of their caption."""
    return sum(follows(*pair) for pair in zip(pictures, captions, strict=True)) / len(pictures)
