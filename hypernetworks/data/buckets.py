"""Framing: which part of a picture is trained, and at which size.

Aspect-ratio buckets after NovelAI, "NovelAI Improvements on Stable Diffusion" (2022): sizes of many ratios within one
budget of pixels, so that pictures are neither squeezed nor cropped to a square.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..base.errors import DatasetError

SQUARE, BUCKETS, KEEP = "square", "buckets", "keep every size"
MODES = (SQUARE, BUCKETS, KEEP)
_LATENT_PX = 8
_MAX_RATIO_CHANGE = 0.01


class TooSmallError(DatasetError):
    """A picture is too small for the framing, and may not be enlarged."""


@dataclass(frozen=True)
class Framing:
    """How pictures are framed.

    Attributes:
        mode: one of `MODES`.
        width_px, height_px: the size of `SQUARE`; their product is the budget of `BUCKETS`, the longer one bounds
            the long side of `KEEP`.
        step_px: sides of buckets are multiples of it.
        min_side_px, max_side_px: limits of the sides of buckets.
        upscale: whether a picture may be enlarged; with `SQUARE` it always may.
    """

    mode: str
    width_px: int
    height_px: int
    step_px: int = 64
    min_side_px: int = 64
    max_side_px: int = 2048
    upscale: bool = False


@dataclass(frozen=True)
class Frame:
    """A part of a picture and the size it is scaled to.

    Attributes:
        box: left, top, right and bottom of the part, in pixels of the picture.
        width_px, height_px: the size.
    """

    box: tuple[float, float, float, float]
    width_px: int
    height_px: int


def frame(framing: Framing, picture: tuple[int, int], centre: tuple[float, float] = (0.5, 0.5)) -> Frame:
    """Return the frame of a picture of `picture` (width, height) pixels.

    Args:
        centre: where the centre of the part should be, as shares of width and height; the part stays within the
            picture.

    Raises:
        TooSmallError: the picture is too small, and may not be enlarged.
    """
    width, height = frame_size(framing, picture)
    if framing.mode == KEEP and _ratio_change(picture, (width, height)) < _MAX_RATIO_CHANGE:
        return Frame((0.0, 0.0, float(picture[0]), float(picture[1])), width, height)
    scale = max(width / picture[0], height / picture[1])
    left, right = _span(picture[0], width / scale, centre[0])
    top, bottom = _span(picture[1], height / scale, centre[1])
    return Frame((left, top, right, bottom), width, height)


def shifted(found: Frame, picture: tuple[int, int], across: float, down: float) -> Frame:
    """Return the frame moved `across` and `down`, each 0 to 1, within the room that the picture leaves."""
    width, height = found.box[2] - found.box[0], found.box[3] - found.box[1]
    left, top = across * (picture[0] - width), down * (picture[1] - height)
    # Rounding must not lead beyond the border.
    box = (left, top, min(left + width, picture[0]), min(top + height, picture[1]))
    return Frame(box, found.width_px, found.height_px)


@lru_cache(maxsize=4096)
def frame_size(framing: Framing, picture: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height at which a picture of `picture` (width, height) pixels is trained.

    Raises:
        TooSmallError: the picture is too small, and may not be enlarged.
    """
    if framing.mode == SQUARE:
        return framing.width_px, framing.height_px
    found = _kept_size(framing, picture) if framing.mode == KEEP else _bucket(framing, picture)
    if found is None:
        raise TooSmallError(
            f"{picture[0]} x {picture[1]} pixels are too small for {framing.mode} of "
            f"{framing.width_px} x {framing.height_px}; allow upscaling to train on it"
        )
    return found


def bucket_problem(framing: Framing) -> str:
    """Return why no bucket is within the limits, as the rest of a sentence on the smallest side; empty if one is.
    are."""
    lowest, highest = _side_limits(framing)
    if lowest > highest:
        return f"leaves no multiple of {framing.step_px} up to {framing.max_side_px}"
    if lowest**2 > framing.width_px * framing.height_px:
        return f"leaves no bucket within {framing.width_px} x {framing.height_px} pixels"
    return ""


def lost_share(found: Frame, picture: tuple[int, int]) -> float:
    """Return the share of the picture's area that lies outside the frame."""
    left, top, right, bottom = found.box
    return max(0.0, 1 - (right - left) * (bottom - top) / (picture[0] * picture[1]))


def _bucket(framing: Framing, picture: tuple[int, int]) -> tuple[int, int] | None:
    """Return the bucket that loses least of the picture and leaves least of the pixel budget unused.

    Buckets that trim the picture by less than one step come first.
    """
    budget, step = framing.width_px * framing.height_px, framing.step_px
    best: tuple[bool, float, tuple[int, int]] | None = None
    for size in _candidates(framing, picture[0] / picture[1]):
        scale = max(size[0] / picture[0], size[1] / picture[1])
        if size[0] * size[1] > budget or (scale > 1 and not framing.upscale):
            continue
        covered = picture[0] * scale, picture[1] * scale
        is_trimmed_too_much = covered[0] - size[0] >= step or covered[1] - size[1] >= step
        cost = 2 - size[0] * size[1] * (1 / (covered[0] * covered[1]) + 1 / budget)
        # The size comes last, so that the result does not depend on the order of the search.
        best = min(best or (True, 9.0, size), (is_trimmed_too_much, cost, size))
    return best[2] if best else None


def _side_limits(framing: Framing) -> tuple[int, int]:
    step = framing.step_px
    return -(-framing.min_side_px // step) * step, framing.max_side_px // step * step


def _candidates(framing: Framing, ratio: float) -> Iterator[tuple[int, int]]:
    """Yield for every width the height just below the ratio, and for every height the width, within the limits."""
    step = framing.step_px
    lowest, highest = _side_limits(framing)

    def bounded(side: float) -> int:
        # A picture with exactly the ratio of a bucket must not miss it by rounding.
        return min(max(int(side * (1 + 1e-9)) // step * step, lowest), highest)

    for side in range(lowest, highest + 1, step):
        yield side, bounded(side / ratio)
        yield bounded(side * ratio), side


def _kept_size(framing: Framing, picture: tuple[int, int]) -> tuple[int, int] | None:
    """Return the largest size near the picture's own ratio; if none is near, one trimmed by less than 8 px."""
    long, short = max(picture), min(picture)
    limit = max(framing.width_px, framing.height_px)
    limit = (limit if framing.upscale else min(limit, long)) // _LATENT_PX * _LATENT_PX
    sizes = [(side, round(side * short / long / _LATENT_PX) * _LATENT_PX) for side in _downwards(limit)]
    near = [size for size in sizes if size[1] and _ratio_change((long, short), size) < _MAX_RATIO_CHANGE]
    whole = (limit, int(limit * short / long) // _LATENT_PX * _LATENT_PX)
    if not near and not all(whole):
        return None
    found = near[0] if near else whole
    return found if picture[0] >= picture[1] else (found[1], found[0])


def _downwards(limit: int) -> range:
    """Return the long sides to try: a picture is rather trimmed by a few pixels than halved."""
    return range(limit, limit // 2, -_LATENT_PX)


def _ratio_change(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return how much the larger of two ratios of width to height is above the other, as a share."""
    change = one[0] * other[1] / (one[1] * other[0])
    return max(change, 1 / change) - 1


def _span(length: int, part: float, centre: float) -> tuple[float, float]:
    start = min(max(centre * length - part / 2, 0.0), max(length - part, 0.0))
    return start, min(start + part, float(length))
