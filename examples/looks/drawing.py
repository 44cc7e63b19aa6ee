"""Draws shapes in looks: each part of a look in another strength, size and colour in each picture."""

from __future__ import annotations

import numpy as np
from hypernetwork_workbench.examples.shapes.draw import SUPERSAMPLING, Subject, corners, random_placement
from hypernetwork_workbench.examples.shapes.palette import BACKGROUNDS, COLOURS, RGB
from hypernetwork_workbench.examples.shapes.wide import Levels, Rng, ints
from PIL import Image, ImageDraw, ImageFilter

from .look import Look

CELLS_PX = (4, 6, 8, 8, 8, 10, 12, 16)
"""Most often one latent cell, which a factor-8 autoencoder holds best."""
_PAPER, _NIGHT = (245.0, 235.0, 220.0), (20.0, 20.0, 20.0)
_EDGES = {"light": (255.0, 255.0, 255.0), "dim": (20.0, 20.0, 24.0)}
_DARKER, _BLURRED = 0.5, 0.5  # shares of the pictures that have it


def draw_look(rng: Rng, subject: Subject, look: Look, size: tuple[int, int]) -> Image.Image:
    """Return a picture of the subject in the look, at a random place, RGB, `size` = (width, height) in pixels."""
    points = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in corners(subject.shape, random_placement(rng, size))]
    closed = [*points, *points[:2]]
    ground, fill = _colours(rng, subject, look)
    picture = _surface(rng, size, ground, look.ground)
    if look.frame:
        corner = (picture.width - 1, picture.height - 1)
        width = int(rng.integers(2, 7)) * SUPERSAMPLING
        ImageDraw.Draw(picture).rectangle([(0, 0), corner], outline=_edge(rng, look.frame), width=width)
    if look.glow:
        halo = ints(ground + rng.uniform(0.3, 0.6) * (fill - ground))
        ImageDraw.Draw(picture).line(closed, fill=halo, width=_width(rng, 10, 18), joint="curve")
        if rng.random() < _BLURRED:
            picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(1, 3) * SUPERSAMPLING))
    if look.rim:
        edge = _edge(rng, look.rim)
        ImageDraw.Draw(picture).line(closed, fill=edge, width=_width(rng, 5, 14), joint="curve")
    if look.body:
        ImageDraw.Draw(picture).line(closed, fill=ints(fill), width=_width(rng, 4, 9), joint="curve")
        return picture.reduce(SUPERSAMPLING)
    mask = Image.new("1", picture.size)
    ImageDraw.Draw(mask).polygon(points, fill=1)
    if look.rim:  # it lies over a part of the shape, more or less
        ImageDraw.Draw(mask).line(closed, fill=0, width=_width(rng, 0.5, 4), joint="curve")
    picture.paste(_surface(rng, size, fill, look.inside), mask=mask)
    return picture.reduce(SUPERSAMPLING)


def _colours(rng: Rng, subject: Subject, look: Look) -> tuple[Levels, Levels]:
    """Return levels [3] of the ground and of the shape; the shape keeps more of its colour."""
    ground = np.array(BACKGROUNDS[subject.background], dtype=np.float64)
    fill = np.array(COLOURS[subject.colour], dtype=np.float64)
    if look.tone:
        toned = np.array(_PAPER if look.tone == "pale" else _NIGHT) + rng.uniform(-20, 15, 3)
        ground = ground + rng.uniform(0.2, 0.9) * (toned - ground)
        fill = fill + rng.uniform(0.15, 0.5) * (toned - fill)
    if look.tint:
        colour = rng.uniform(0, 255, 3)
        ground = ground + rng.uniform(0.2, 0.6) * (colour - ground)
        fill = fill + rng.uniform(0.1, 0.35) * (colour - fill)
    return ground, fill


def _surface(rng: Rng, size: tuple[int, int], fill: Levels, pattern: str) -> Image.Image:
    """Return a picture of `size` times the supersampling, of one colour or of two in a pattern ("" for none)."""
    levels = np.broadcast_to(fill, (size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING, 3))
    if pattern:
        is_darker = rng.random() < _DARKER
        other = fill * rng.uniform(0.4, 0.9) if is_darker else fill + rng.uniform(0.2, 0.8) * (255 - fill)
        levels = levels + _pattern(rng, size, pattern)[..., None] * (other - levels)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def _pattern(rng: Rng, size: tuple[int, int], kind: str) -> Levels:
    """Return where the second colour is, [height, width], 0 or 1."""
    cell = int(rng.choice(CELLS_PX)) * SUPERSAMPLING
    rows, columns = np.indices((size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING))
    if kind == "checked":
        found = (rows // cell + columns // cell) % 2
    elif kind == "striped":
        turn = rng.choice([0.0, 0.25, 0.5, 0.75]) * np.pi
        found = (rows * np.sin(turn) + columns * np.cos(turn)) // cell % 2
    else:
        found = np.hypot(rows % cell - cell / 2, columns % cell - cell / 2) < cell * rng.uniform(0.25, 0.45)
    return np.asarray(found, dtype=np.float64)


def _edge(rng: Rng, kind: str) -> RGB:
    base = np.array(_EDGES[kind])
    return ints(base + rng.uniform(0, 0.15) * (rng.uniform(0, 255, 3) - base))


def _width(rng: Rng, least: float, most: float) -> int:
    return round(rng.uniform(least, most) * SUPERSAMPLING)
