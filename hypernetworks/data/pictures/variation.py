"""What is changed of a picture each time it is shown: its colours, and how near a crop is to the face."""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]

#: As kohya's trainer varies colours: a third of the time, half of that the hue and half the gamma.
_SHARE = 1 / 3
_HUE_DEGREES = 16.0
_GAMMA = (0.95, 1.05)


class Colours(NamedTuple):
    """A change of the colours: by how many degrees hues are turned, and the power of each channel in 0..1."""

    hue_degrees: float = 0.0
    gamma: float = 1.0


AS_THEY_ARE = Colours()


class Face(NamedTuple):
    """The largest face of a picture: its centre and the longer of its sides, in pixels."""

    x: float
    y: float
    side_px: float


def drawn_colours(draw: random.Random) -> Colours:
    """Return a change of colours, most of the time none."""
    if draw.random() >= _SHARE:
        return AS_THEY_ARE
    if draw.random() < 1 / 2:
        return Colours(hue_degrees=draw.uniform(-_HUE_DEGREES, _HUE_DEGREES))
    return Colours(gamma=draw.uniform(*_GAMMA))


def recoloured(picture: Image.Image, colours: Colours) -> Image.Image:
    """Return an RGB picture with other colours."""
    if colours.gamma != 1:
        table = (np.linspace(0, 1, 256) ** colours.gamma * 255).round().astype(int).tolist()
        picture = picture.point(table * 3)
    if colours.hue_degrees:
        hue, *others = picture.convert("HSV").split()
        turned = hue.point([round(value + colours.hue_degrees / 360 * 256) % 256 for value in range(256)])
        picture = Image.merge("HSV", (turned, *others)).convert("RGB")
    return picture


def around_face(
    widest: Box,
    size: tuple[int, int],
    to: tuple[int, int],
    face: Face,
    limits: tuple[float, float],
    draw: random.Random,
) -> Box:
    """Return a part of a picture around a face.

    Args:
        widest: the largest part of the right ratio.
        size: of the picture, in pixels.
        to: the size that the part is scaled to; a part that is smaller is never enlarged.
        limits: the shorter side of the part, in sides of the face, is drawn between them.
    """
    width, height = widest[2] - widest[0], widest[3] - widest[1]
    factor = draw.uniform(*limits) * face.side_px / min(width, height)
    smallest = min(1.0, max(to[0] / width, to[1] / height))
    factor = min(1.0, max(smallest, factor))
    width, height = width * factor, height * factor
    left = min(max(face.x - width / 2, 0.0), size[0] - width)
    top = min(max(face.y - height / 2, 0.0), size[1] - height)
    return left, top, min(left + width, size[0]), min(top + height, size[1])
