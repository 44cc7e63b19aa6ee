"""Reads a picture of a coloured shape back: what colour, which shape, where, and how dark its outline is."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from .captions import parse
from .draw import Placement, corners
from .palette import COLOURS, SHAPES, paint
from .regions import close_gaps, distance_to_edge, largest_region

Mask = NDArray[np.bool_]
Levels = NDArray[np.float64]

MIN_OVERLAP = 0.7
FARTHEST_CHROMATICITY = 0.22
INNER_MARGINS_PX = (4, 3, 2)
FEWEST_PIXELS = 20
TURNS = range(-15, 16, 5)
LUMINANCE = np.array([0.299, 0.587, 0.114]) / 255.0


@dataclass(frozen=True)
class Verdict:
    """What was found; `colour` and `shape` are None where nothing was near enough.

    Attributes:
        overlap: intersection over union of the found region with the best shape.
        x, y: centre of the region as a share of the picture's width and height.
    """

    colour: str | None
    shape: str | None
    overlap: float
    x: float
    y: float


NOTHING = Verdict(None, None, 0.0, 0.5, 0.5)
SMALLEST = 0.02
"""Share of the picture that a shape takes at the least."""


def judge(picture: Image.Image) -> Verdict:
    """Return colour, shape and place of the largest thing that differs from the background."""
    levels = np.asarray(picture.convert("RGB"), dtype=np.float64)
    region = find_region(levels)
    if region.sum() < SMALLEST * region.size:
        return NOTHING
    rows, columns = np.nonzero(region)
    shape, overlap = _best_shape(region)
    return Verdict(
        _lit_colour(levels, region),
        shape if overlap >= MIN_OVERLAP else None,
        overlap,
        float(columns.mean() + 0.5) / region.shape[1],
        float(rows.mean() + 0.5) / region.shape[0],
    )


def follows(picture: Image.Image, caption: str) -> bool:
    """Tell whether the picture shows the colour and the shape that the caption names."""
    verdict, wanted = judge(picture), parse(caption)
    return verdict.colour == wanted.colour and verdict.shape == wanted.shape


def find_region(levels: Levels) -> Mask:
    """Return the shape [height, width] in a picture [height, width, 3]: far from the background, hatching closed."""
    frame = np.concatenate([levels[:2].reshape(-1, 3), levels[-2:].reshape(-1, 3), *levels[:, [0, -1]].swapaxes(0, 1)])
    distance = np.linalg.norm(levels - np.median(frame, axis=0), axis=2)
    strong = np.quantile(distance, 0.97)
    return largest_region(close_gaps(distance > max(18.0, 0.4 * strong)))


@functools.cache
def _template(shape: str, turn: int) -> NDArray[np.float64]:
    """Return the corners of a shape of unit area around its own centre of mass."""
    points = np.array(corners(shape, Placement(0.0, 0.0, 1.0, float(turn))))
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    area = cross.sum() / 2
    centre = ((points + following) * cross[:, None]).sum(axis=0) / (6 * area)
    return np.asarray((points - centre) / math.sqrt(abs(area)))


def _best_shape(region: Mask) -> tuple[str, float]:
    """Return the shape that covers the region best when laid on it with the same centre and area, and its overlap."""
    rows, columns = np.nonzero(region)
    centre = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    best = ("", 0.0)
    for shape in SHAPES:
        for turn in (0,) if shape == "circle" else TURNS:
            canvas = Image.new("1", (region.shape[1], region.shape[0]))
            points = _template(shape, turn) * math.sqrt(region.sum()) + centre - 0.5
            ImageDraw.Draw(canvas).polygon([(x, y) for x, y in points.tolist()], fill=1)
            drawn = np.asarray(canvas)
            overlap = float((drawn & region).sum() / (drawn | region).sum())
            if overlap > best[1]:
                best = (shape, overlap)
    return best


def _lit_colour(levels: Levels, region: Mask) -> str | None:
    """Return the colour, by day or by night, of the region's lit inner part."""
    depth = distance_to_edge(region)
    inner = next((depth >= margin for margin in INNER_MARGINS_PX if (depth >= margin).sum() >= FEWEST_PIXELS), region)
    pixels = levels[inner]
    brightness = pixels.max(axis=1)
    colour = np.median(pixels[brightness >= np.quantile(brightness, 0.6)], axis=0)
    return nearest_colour(colour, {name: [paint(name, night) for night in (False, True)] for name in COLOURS})


def nearest_colour(colour: ArrayLike, known: Mapping[str, Iterable[ArrayLike]]) -> str | None:
    """Return the name of the levels [3] whose chromaticity is nearest to that of a colour; None if all are far."""
    seen = _chromaticity(colour)
    distances = {
        name: min(float(np.linalg.norm(seen - _chromaticity(one))) for one in ones) for name, ones in known.items()
    }
    nearest = min(distances, key=lambda name: distances[name])
    return nearest if distances[nearest] <= FARTHEST_CHROMATICITY else None


def _chromaticity(colour: ArrayLike) -> Levels:
    levels = np.asarray(colour, dtype=np.float64)
    return np.asarray(levels / max(1.0, float(np.linalg.norm(levels))))


def outline_contrast(picture: Image.Image) -> float:
    """Return how much darker a band along the shape's edge is than the darker of its two sides, 0..1 of full luminance.

    A plain edge only steps from one side to the other and gives about 0.
    """
    levels = np.asarray(picture.convert("RGB"), dtype=np.float64)
    region = find_region(levels)
    if region.sum() < 0.02 * region.size:
        return 0.0
    luminance = levels @ LUMINANCE
    signed = np.where(region, -distance_to_edge(region), distance_to_edge(~region))

    def mean_between(low: float, high: float) -> float:
        ring = luminance[(signed >= low) & (signed < high)]
        return float(ring.mean()) if ring.size else 0.0

    contrasts = [
        min(mean_between(middle - 7, middle - 3.5), mean_between(middle + 3.5, middle + 6))
        - mean_between(middle - 1.2, middle + 1.2)
        for middle in (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0)
    ]
    return max(0.0, *contrasts)
