"""Duplicates: pictures that look the same though their files differ in size, format or quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

_GREY_PX = 32
_WAVES = 16
_COLOUR_PX = 4
#: Largest difference of a mean colour, 0 to 255, that a new compression makes.
_COLOUR_LIMIT = 24
#: Frequencies weaker than this, in grey levels, cannot be seen; the sign of noise says nothing.
_WEAKEST = 2.0
_RATIO_LIMIT = 0.05
#: Means of equal colours may differ by this little.
_ROUNDING = 0.01


@dataclass(frozen=True)
class PerceptualHash:
    """What is compared of a picture to find duplicates.

    Attributes:
        bits: signs of its lowest frequencies, packed; see `perceptual_hash`.
        colours: mean RGB of each cell of a grid of 4 x 4, as bytes.
        ratio: width divided by height.
    """

    bits: bytes
    colours: bytes
    ratio: float


def perceptual_hash(picture: Image.Image, size: tuple[int, int]) -> PerceptualHash:
    """Return the perceptual hash of an RGB picture, or of a small copy of one of `size` pixels.

    The signs of the 16 x 16 lowest frequencies of its cosine transform, after Zauner, "Implementation and Benchmarking
    of Perceptual Image Hash Functions" (2010), with its mean colours.
    """
    small = picture.convert("RGB").resize((_GREY_PX, _GREY_PX), Image.Resampling.LANCZOS)
    grey = np.asarray(small.convert("L"), dtype=np.float64)
    waves = _cosines() @ grey @ _cosines().T
    waves[0, 0] = 0.0  # the brightness of the whole
    colours = np.asarray(small.resize((_COLOUR_PX, _COLOUR_PX), Image.Resampling.BOX), dtype=np.uint8)
    return PerceptualHash(np.packbits(waves > _WEAKEST).tobytes(), colours.tobytes(), size[0] / size[1])


def find_duplicates(pictures: Sequence[PerceptualHash], limit: int) -> list[list[int]]:
    """Return groups of two or more pictures that look the same, as their numbers.

    Args:
        limit: how many of the 256 signs may differ between two pictures of a group.
    """
    if not pictures:
        return []
    bits = np.array([np.frombuffer(one.bits, np.uint8) for one in pictures])
    colours = np.array([np.frombuffer(one.colours, np.uint8) for one in pictures], dtype=np.int16)
    ratios = np.log([one.ratio for one in pictures])
    # A few numbers of each picture that near ones agree in: all pairs are compared by these, few by all of the rest.
    signs = _counts()[bits].sum(1, dtype=np.int16)
    means = np.ascontiguousarray(colours.reshape(len(pictures), -1, 3).mean(1, dtype=np.float32).T)
    group = list(range(len(pictures)))
    for number in range(1, len(pictures)):
        near = np.abs(signs[:number] - signs[number]) <= limit
        for channel in means:
            near &= np.abs(channel[:number] - channel[number]) <= _COLOUR_LIMIT + _ROUNDING
        near &= np.abs(ratios[:number] - ratios[number]) < _RATIO_LIMIT
        (others,) = near.nonzero()
        others = others[np.abs(colours[others] - colours[number]).max(1) <= _COLOUR_LIMIT]
        others = others[_counts()[bits[others] ^ bits[number]].sum(1) <= limit]
        if others.size:
            group[number] = group[int(others[0])]
    found: dict[int, list[int]] = {}
    for number, first in enumerate(group):
        found.setdefault(first, []).append(number)
    return [numbers for numbers in found.values() if len(numbers) > 1]


@cache
def _counts() -> np.ndarray:
    """Return how many bits each byte has, [256]."""
    return np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)


@cache
def _cosines() -> np.ndarray:
    """Return the first 16 rows of the orthonormal cosine transform of 32 numbers, [16, 32]."""
    waves, places = np.arange(_WAVES)[:, None], np.arange(_GREY_PX)[None] + 0.5
    rows = np.cos(np.pi / _GREY_PX * waves * places) * np.sqrt(2 / _GREY_PX)
    rows[0] /= np.sqrt(2)
    return rows
