"""Reads the colour and the shape that a picture shows in a style that the demo model never saw.

A matched filter: every shape that may have been drawn is laid on the picture in every place, turn and size, and the one
that is most like it wins, by normalised cross-correlation (J. P. Lewis, "Fast Normalized Cross-Correlation", 1995). It
asks for no clean edges: true pictures are read as well after the autoencoder gave them back as before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from hypernetwork_workbench.examples.shapes.captions import parse
from hypernetwork_workbench.examples.shapes.draw import Placement, Subject
from hypernetwork_workbench.examples.shapes.judge import nearest_colour
from hypernetwork_workbench.examples.shapes.palette import SHAPES
from hypernetwork_workbench.examples.shapes.unseen import Unseen
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

#: True pictures are at least 0.78 like what was drawn once the autoencoder gave them back, 0.91 before.
LEAST_LIKENESS = 0.75
_TURNS = range(-12, 13, 6)
_RADII = tuple(float(share) for share in np.linspace(0.22, 0.38, 7))
_BACKGROUND, _ONE, _OTHER = "black", "cyan", "red"
_PAINTED = 0.8


@dataclass(frozen=True)
class Reading:
    """What a picture shows; `colour` and `shape` are None where nothing is near enough.

    Attributes:
        likeness: correlation with the best of all shapes, up to 1.
        x, y: centre of what is painted in the colour, in pixels; None where nothing is near enough.
    """

    colour: str | None
    shape: str | None
    likeness: float
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class _Masks:
    """Where shapes are painted: a name and a share 0..1 of each pixel [count, height, width], in the middle."""

    shapes: tuple[str, ...]
    shares: Tensor


def read(picture: Image.Image, style: Unseen) -> Reading:
    """Return the shape that the picture is most like, and the colour that is nearest to what is painted there."""
    levels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    masks = _masks(style.draw, picture.size)
    likeness = _likeness(_foreground(levels, style), masks.shares)
    best, down, right = np.unravel_index(int(likeness.argmax()), likeness.shape)
    most = float(likeness[best, down, right])
    if most < LEAST_LIKENESS:
        return Reading(None, None, most)
    shift = (int(down) - picture.height // 2, int(right) - picture.width // 2)
    painted = (torch.roll(masks.shares[int(best)], shift, (0, 1)) > _PAINTED).numpy()
    rows, columns = np.nonzero(painted)
    fills = {name: [np.mean(levels_of, axis=0)] for name, levels_of in style.fills.items()}
    colour = nearest_colour(np.median(levels[painted], axis=0), fills)
    return Reading(colour, masks.shapes[int(best)], most, float(columns.mean()) + 0.5, float(rows.mean()) + 0.5)


def follows(picture: Image.Image, caption: str, style: Unseen) -> bool:
    """Tell whether the picture in this style shows the colour and the shape that the caption names."""
    found, wanted = read(picture, style), parse(caption)
    return (found.colour, found.shape) == (wanted.colour, wanted.shape)


@functools.cache
def _masks(drawn: Callable[[Subject, Placement, tuple[int, int]], Image.Image], size: tuple[int, int]) -> _Masks:
    """Return where a style paints in the subject's colour: where two subjects of other colours differ."""
    names, shares = [], []
    for shape in SHAPES:
        for turn in (0,) if shape == "circle" else _TURNS:
            for radius in _RADII:
                place = Placement(size[0] / 2, size[1] / 2, radius * min(size), turn)
                one, other = (
                    np.asarray(drawn(Subject(colour, shape, _BACKGROUND), place, size), dtype=np.float32)
                    for colour in (_ONE, _OTHER)
                )
                apart = np.abs(one - other).sum(axis=2)
                names.append(shape)
                shares.append(torch.from_numpy(apart / apart.max()))
    return _Masks(tuple(names), torch.stack(shares))


def _foreground(levels: NDArray[np.float32], style: Unseen) -> Tensor:
    """Return how much nearer each pixel is to the levels of shapes than to all others, 0..1 [height, width]."""
    fills, others = (
        np.linalg.norm(levels[:, :, None] - np.array(known, dtype=np.float32), axis=3).min(axis=2)
        for known in ([fill for fills in style.fills.values() for fill in fills], style.others)
    )
    return torch.from_numpy(others / (fills + others + 1e-6))


def _likeness(foreground: Tensor, shares: Tensor) -> Tensor:
    """Return the correlation with each mask at each shift, up to half the picture: [count, height, width]."""
    height, width = foreground.shape
    twice = (2 * height, 2 * width)
    centred = foreground - foreground.mean()
    spectrum = torch.fft.rfft2(centred, s=twice) * torch.fft.rfft2(shares, s=twice).conj()
    products = torch.fft.irfft2(spectrum, s=twice)
    rows, columns = (torch.arange(-(side // 2), side - side // 2) % (2 * side) for side in (height, width))
    spread = (shares - shares.mean(dim=(1, 2), keepdim=True)).norm(dim=(1, 2))[:, None, None]
    return products[:, rows][:, :, columns] / (centred.norm() * spread).clamp_min(1e-6)
