"""Draws shapes in looks of every kind: what an autoencoder must hold of styles that nobody has thought of yet.

The looks are drawn from wide ranges, one picture unlike the next. None of the styles that are judged is among them,
though their parts (dots, rims, glow) are of kinds that occur here.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from .captions import subjects
from .data import to_tensor
from .draw import SUPERSAMPLING, corners, random_placement
from .palette import BACKGROUNDS, COLOURS, RGB

Levels = NDArray[np.float64]
Rng = np.random.Generator

CELLS_PX = (4, 5, 6, 7, 8, 8, 8, 8, 10, 12, 16)
TEXTURES = ("checks", "checks", "stripes", "dots", "shade")

# Shares of the pictures or of their parts.
ANY_COLOUR, TOWARDS_GREY = 0.2, 0.4
ON_GRID, TEXTURED, DARKER = 0.6, 0.6, 0.6
RIMMED, FRAMED, GLOWING, BLURRED, GRAINY, UNFILLED = 0.65, 0.25, 0.25, 0.5, 0.05, 0.15


def _happens(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


def _colour(rng: Rng, known: dict[str, RGB]) -> Levels:
    """Return levels [3]: a known colour, often changed towards another one, or any colour."""
    anything = rng.uniform(0, 255, 3)
    if _happens(rng, ANY_COLOUR):
        return np.asarray(anything)
    base = np.array(list(known.values())[rng.integers(len(known))], dtype=np.float64)
    tint = np.full(3, rng.choice([0.0, 128.0, 255.0])) if _happens(rng, TOWARDS_GREY) else anything
    return np.asarray(base + rng.uniform(0, 0.8) * (tint - base))


def _texture(rng: Rng, size: tuple[int, int]) -> Levels:
    """Return where the second colour of a texture is, [height, width, 1] in 0..1, `size` in pixels."""
    cell = int(rng.choice(CELLS_PX)) * SUPERSAMPLING
    start = np.zeros(2, dtype=int) if _happens(rng, ON_GRID) else rng.integers(0, cell, 2)
    rows, columns = np.indices((size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING)) + start[:, None, None]
    turn = rng.choice([0.0, 0.5, 0.25, 0.75, rng.random() * 2]) * np.pi
    along = rows * np.sin(turn) + columns * np.cos(turn)
    kind = TEXTURES[rng.integers(len(TEXTURES))]
    if kind == "checks":
        found = (rows // cell + columns // cell) % 2
    elif kind == "stripes":
        found = along // cell % 2
    elif kind == "dots":
        found = np.hypot(rows % cell - cell / 2, columns % cell - cell / 2) < cell * rng.uniform(0.2, 0.48)
    else:
        found = (along - along.min()) / np.ptp(along)
    return np.asarray(found, dtype=np.float64)[..., None]


def _surface(rng: Rng, size: tuple[int, int], fill: Levels) -> Image.Image:
    """Return a picture of `size` times the supersampling, of one colour or of two in some texture."""
    levels = np.broadcast_to(fill, (size[1] * SUPERSAMPLING, size[0] * SUPERSAMPLING, 3))
    if _happens(rng, TEXTURED):
        other = fill * rng.uniform(0.3, 0.95) if _happens(rng, DARKER) else fill + rng.uniform(0.1, 0.9) * (255 - fill)
        levels = levels + _texture(rng, size) * (other - levels)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def draw_wide(rng: Rng, size: tuple[int, int]) -> Image.Image:
    """Return a picture of any shape in any look, RGB, `size` = (width, height) in pixels."""
    choices = subjects()
    subject = choices[rng.integers(len(choices))]
    points = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in corners(subject.shape, random_placement(rng, size))]
    closed = [*points, *points[:2]]
    ground, fill = _colour(rng, BACKGROUNDS), _colour(rng, COLOURS)
    picture = _surface(rng, size, ground)
    pen = ImageDraw.Draw(picture)
    if _happens(rng, FRAMED):
        frame = ints(_colour(rng, BACKGROUNDS))
        corner = (picture.width - 1, picture.height - 1)
        pen.rectangle([(0, 0), corner], outline=frame, width=int(rng.integers(1, 7)) * SUPERSAMPLING)
    if _happens(rng, GLOWING):
        halo = ground + rng.uniform(0.2, 0.6) * (fill - ground)
        pen.line(closed, fill=ints(halo), width=int(rng.uniform(8, 18) * SUPERSAMPLING), joint="curve")
        if _happens(rng, BLURRED):
            picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(1, 4) * SUPERSAMPLING))
    is_filled = not _happens(rng, UNFILLED)
    if is_filled:
        mask = Image.new("1", picture.size)
        ImageDraw.Draw(mask).polygon(points, fill=1)
        picture.paste(_surface(rng, size, fill), mask=mask)
    if not is_filled or _happens(rng, RIMMED):
        rim = _colour(rng, BACKGROUNDS) if is_filled else fill
        width = int(rng.uniform(2.5, 11) * SUPERSAMPLING)
        ImageDraw.Draw(picture).line(closed, fill=ints(rim), width=width, joint="curve")
    picture = picture.reduce(SUPERSAMPLING)
    return _grainy(rng, picture) if _happens(rng, GRAINY) else picture


def ints(levels: Levels) -> RGB:
    """Return levels [3] as a colour that can be painted."""
    red, green, blue = (int(level) for level in levels.clip(0, 255))
    return red, green, blue


def _grainy(rng: Rng, picture: Image.Image) -> Image.Image:
    levels = np.asarray(picture, dtype=np.float64)
    noise = rng.normal(0, rng.uniform(3, 15), levels.shape[:2])
    return Image.fromarray((levels + noise[..., None]).clip(0, 255).astype(np.uint8))


def wide_pictures(count: int, seed: int, size: tuple[int, int]) -> torch.Tensor:
    """Return pictures [count, 3, height, width], uint8, of `size` = (width, height)."""
    rng = np.random.default_rng(seed)
    return torch.stack([to_tensor(draw_wide(rng, size)) for _ in range(count)])
