"""Draws captioned pictures of coloured shapes, plain or in the parts of the demo's style, all from a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .palette import BACKGROUNDS, COLOURS, INK, RGB, SHAPES, ground, paint, shaded

SUPERSAMPLING = 4
HATCH_PERIOD_PX = 16
"""Distance of two hatching lines along a row; two latent cells, so that a factor-8 autoencoder can hold it."""
HATCH_WIDTH_PX = 4.0
HATCH_SHADE = 0.42
OUTLINE_PX = 4.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Subject:
    """What a picture shows: the names of a colour, a shape and a background."""

    colour: str
    shape: str
    background: str


@dataclass(frozen=True)
class Style:
    """How a picture is drawn; all three parts together are the demo's style."""

    outline: bool = False
    hatching: bool = False
    night: bool = False


PLAIN = Style()
NIGHT_STYLE = Style(outline=True, hatching=True, night=True)


@dataclass(frozen=True)
class Placement:
    """Where a shape lies: centre and radius in pixels, rotation in degrees."""

    x: float
    y: float
    radius: float
    angle: float


def random_subject(rng: np.random.Generator) -> Subject:
    """Return any of the 128 subjects, each as likely as the others."""
    names = (list(COLOURS), list(SHAPES), list(BACKGROUNDS))
    colour, shape, background = (choices[rng.integers(len(choices))] for choices in names)
    return Subject(colour, shape, background)


def random_placement(rng: np.random.Generator, size: tuple[int, int], centred: bool = False) -> Placement:
    """Return a place within a picture of `size` (width, height); `centred` keeps it inside the middle square."""
    short = min(size)
    radius = short * rng.uniform(0.26, 0.35)
    room = [(short if centred else side) / 2 - radius * 1.12 - short * 0.05 for side in size]
    x, y = (side / 2 + rng.uniform(-space, space) for side, space in zip(size, room, strict=True))
    return Placement(x, y, radius, rng.uniform(-12.0, 12.0))


def corners(shape: str, placement: Placement) -> list[Point]:
    """Return the polygon of a shape, clockwise from the top, in pixels."""
    count, stretch, start = {
        "circle": (72, 0.94, 0.0),
        "square": (4, 1.14, 45.0),
        "triangle": (3, 1.16, 0.0),
        "star": (10, 1.18, 0.0),
    }[shape]
    middle = placement.y + (0.14 * placement.radius if shape == "triangle" else 0.0)
    points = []
    for number in range(count):
        reach = placement.radius * stretch * (0.46 if shape == "star" and number % 2 else 1.0)
        turn = math.radians(placement.angle + start + number * 360 / count)
        points.append((placement.x + reach * math.sin(turn), middle - reach * math.cos(turn)))
    return points


def draw(subject: Subject, placement: Placement, size: tuple[int, int], style: Style = PLAIN) -> Image.Image:
    """Return the picture of `subject`, RGB, anti-aliased, `size` = (width, height) in pixels."""
    scale = SUPERSAMPLING
    large = (size[0] * scale, size[1] * scale)
    fill = paint(subject.colour, style.night)
    picture = Image.new("RGB", large, ground(subject.background, style.night))
    points = [(x * scale, y * scale) for x, y in corners(subject.shape, placement)]
    mask = Image.new("1", large)
    ImageDraw.Draw(mask).polygon(points, fill=1)
    picture.paste(_hatched(fill, large, scale) if style.hatching else fill, mask=mask)
    if style.outline:
        closed = [*points, *points[:2]]
        ImageDraw.Draw(picture).line(closed, fill=INK, width=round(OUTLINE_PX * scale), joint="curve")
    return picture.reduce(scale)


def _hatched(fill: RGB, large: tuple[int, int], scale: int) -> Image.Image:
    """Return diagonal lines at fixed places of the picture, like pen strokes on squared paper."""
    picture = Image.new("RGB", large, fill)
    pen = ImageDraw.Draw(picture)
    dark, width = shaded(fill, HATCH_SHADE), round(HATCH_WIDTH_PX * scale)
    for start in range(HATCH_PERIOD_PX // 2 * scale, sum(large), HATCH_PERIOD_PX * scale):
        pen.line([(start + width, -width), (-width, start + width)], fill=dark, width=width)
    return picture


def random_picture(
    rng: np.random.Generator, subject: Subject, size: tuple[int, int] = (64, 64), style: Style = PLAIN
) -> Image.Image:
    """Return the subject at a random place, size and slight rotation."""
    return draw(subject, random_placement(rng, size), size, style)
