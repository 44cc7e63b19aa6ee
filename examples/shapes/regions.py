"""Operations on binary masks [height, width]: close gaps, keep the largest region, measure depth."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def _widen(mask: torch.Tensor, radius: int) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(mask, 2 * radius + 1, stride=1, padding=radius)


def close_gaps(mask: Mask, radius: int = 2) -> Mask:
    """Close the mask morphologically with a square of `radius` pixels, which fills gaps up to twice that wide."""
    padded = torch.nn.functional.pad(torch.from_numpy(mask.astype(np.float32))[None, None], [2 * radius] * 4)
    closed = 1 - _widen(1 - _widen(padded, radius), radius)
    inner = closed[0, 0, 2 * radius : -2 * radius, 2 * radius : -2 * radius]
    return np.asarray(inner.numpy() != 0)


def largest_region(mask: Mask) -> Mask:
    """Return the largest 8-connected region, with its holes filled."""
    region = _largest_component(mask)
    outside = np.pad(~region, 1, constant_values=True)
    labels = _components(outside)
    return np.asarray((labels != labels[0, 0])[1:-1, 1:-1])


def _components(mask: Mask) -> NDArray[np.int64]:
    """Return a label for each region and 0 elsewhere: the largest pixel number spreads until nothing changes."""
    numbers = torch.arange(1, mask.size + 1, dtype=torch.float64).reshape(1, 1, *mask.shape)
    inside = torch.from_numpy(mask)
    labels = numbers * inside
    while True:
        spread = _widen(labels, 1) * inside
        if torch.equal(spread, labels):
            return np.asarray(labels[0, 0].numpy().astype(np.int64))
        labels = spread


def _largest_component(mask: Mask) -> Mask:
    labels = _components(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((labels == sizes.argmax()) & mask)


def distance_to_edge(mask: Mask) -> NDArray[np.float64]:
    """Return the Euclidean distance in pixels from each pixel inside to the nearest pixel outside; 0 outside."""
    distances = np.zeros(mask.shape)
    rim = mask_rim(mask)
    inside = np.argwhere(mask)
    if len(rim) and len(inside):
        apart = np.linalg.norm(inside[:, None, :] - rim[None, :, :], axis=2)
        distances[mask] = apart.min(axis=1)
    return distances


def mask_rim(mask: Mask) -> NDArray[np.int64]:
    """Return the coordinates [count, 2] of the pixels outside the mask that touch it."""
    wide = _widen(torch.from_numpy(mask.astype(np.float32))[None, None], 1)[0, 0].numpy() != 0
    return np.asarray(np.argwhere(wide & ~mask))
