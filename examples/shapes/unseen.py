"""Styles that the demo model never saw: what a network makes of them is learnt from its pictures alone.

The model knows rims, patterns, frames, glow and hollow shapes in many strengths and colours, but no such style whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .draw import SUPERSAMPLING, Placement, Subject, corners
from .palette import BACKGROUNDS, COLOURS, RGB, shaded

RIM: RGB = (255, 250, 240)
RIM_PX, FRAME_PX = 9.0, 3
PAPER = (248, 224, 190)
PAPER_SHARE = 0.45
CELL_PX = 8
"""Side of a coarse dot, one latent cell."""
CELL_SHADE = 0.78

BOARD = (18, 24, 22)
BOARD_SHARE = 0.16
TUBE_PX, HALO_PX = 5.0, 13.0
TUBE_SHARE, HALO_SHARE = 0.72, 0.34


@dataclass(frozen=True)
class Unseen:
    """A style and the colours that a judge needs.

    Attributes:
        draw: returns the picture of a subject at a place, `size` = (width, height) in pixels.
        fills: by the name of a colour, all levels that the shape of this colour is painted in.
        others: every level that is not part of a shape.
    """

    name: str
    draw: Callable[[Subject, Placement, tuple[int, int]], Image.Image]
    fills: dict[str, tuple[RGB, ...]]
    others: tuple[RGB, ...]


def mixed(colour: RGB, other: RGB, share: float) -> RGB:
    """Return the colour with a `share` of another one in it, 0..1."""
    red, green, blue = (round(one * (1 - share) + two * share) for one, two in zip(colour, other, strict=True))
    return red, green, blue


def _pale(colour: RGB) -> RGB:
    return mixed(colour, PAPER, PAPER_SHARE)


def draw_print(subject: Subject, placement: Placement, size: tuple[int, int]) -> Image.Image:
    """Return a pale print: coarse dots over all, a broad white rim around the shape, a frame around light pictures."""
    scale = SUPERSAMPLING
    large = (size[0] * scale, size[1] * scale)
    points = [(x * scale, y * scale) for x, y in corners(subject.shape, placement)]
    picture = _dotted(_pale(BACKGROUNDS[subject.background]), large, scale)
    pen = ImageDraw.Draw(picture)
    if subject.background != "black":
        pen.rectangle([0, 0, large[0] - 1, large[1] - 1], outline=RIM, width=FRAME_PX * scale)
    pen.line([*points, *points[:2]], fill=RIM, width=round(RIM_PX * scale), joint="curve")
    mask = Image.new("1", large)
    ImageDraw.Draw(mask).polygon(points, fill=1)
    ImageDraw.Draw(mask).line([*points, *points[:2]], fill=0, width=round(0.3 * RIM_PX * scale), joint="curve")
    picture.paste(_dotted(_pale(COLOURS[subject.colour]), large, scale), mask=mask)
    return picture.reduce(scale)


def _dotted(fill: RGB, large: tuple[int, int], scale: int) -> Image.Image:
    cell = CELL_PX * scale
    rows, columns = np.indices((large[1], large[0])) // cell
    levels = np.where(((rows + columns) % 2 == 0)[..., None], fill, shaded(fill, CELL_SHADE))
    return Image.fromarray(levels.astype(np.uint8))


def draw_neon(subject: Subject, placement: Placement, size: tuple[int, int]) -> Image.Image:
    """Return a glowing tube along the shape's edge before a dark board that has a trace of the background's colour."""
    scale = SUPERSAMPLING
    large = (size[0] * scale, size[1] * scale)
    points = [(x * scale, y * scale) for x, y in corners(subject.shape, placement)]
    board = mixed(BOARD, BACKGROUNDS[subject.background], BOARD_SHARE)
    picture = Image.new("RGB", large, board)
    pen, closed = ImageDraw.Draw(picture), [*points, *points[:2]]
    halo = mixed(board, COLOURS[subject.colour], HALO_SHARE)
    pen.line(closed, fill=halo, width=round(HALO_PX * scale), joint="curve")
    pen.line(closed, fill=_lit(subject.colour), width=round(TUBE_PX * scale), joint="curve")
    return picture.reduce(scale)


def _lit(colour: str) -> RGB:
    return mixed((255, 255, 255), COLOURS[colour], TUBE_SHARE)


PRINT = Unseen(
    "print",
    draw_print,
    {name: (_pale(colour), shaded(_pale(colour), CELL_SHADE)) for name, colour in COLOURS.items()},
    (RIM, *(level for one in BACKGROUNDS.values() for level in (_pale(one), shaded(_pale(one), CELL_SHADE)))),
)
NEON = Unseen(
    "neon",
    draw_neon,
    {name: (_lit(name),) for name in COLOURS},
    tuple(mixed(BOARD, one, BOARD_SHARE) for one in BACKGROUNDS.values()),
)
