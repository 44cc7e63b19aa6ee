"""Pictures: opened safely, turned upright, laid on a background, and framed."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageColor, ImageFile, ImageOps

from ..base.errors import DatasetError
from ..base.pillow import has_transparency
from .buckets import Frame

#: A kind that the installed Pillow cannot read (older ones lack AVIF) is reported like a broken picture.
EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}

#: What Pillow raises for broken data, in pixels and beside them.
_BROKEN = (OSError, ValueError, SyntaxError, struct.error)
#: Where Pillow keeps EXIF data as they came.
_RAW_EXIF = ("exif", "Raw profile type exif")
_16_BITS = 65535


def open_picture(path: Path, background: str = "white") -> Image.Image:
    """Return the first frame of a picture as RGB, turned as its EXIF data says, transparency laid over `background`.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    return on_background(open_raw(path), background)


def open_raw(path: Path) -> Image.Image:
    """Return the first frame of a picture, turned as its EXIF data says: RGBA where it has transparency, else RGB.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    try:
        with _strict(), Image.open(path) as opened:
            return _converted(_upright(opened))
    except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{path.name}: the picture cannot be read ({error})") from error


def has_size(path: Path, size: tuple[int, int]) -> bool:
    """Tell from the header of a picture alone whether its sides are those of `size`, one way or the other."""
    try:
        with _strict(), Image.open(path) as opened:
            return sorted(opened.size) == sorted(size)
    except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False


@contextmanager
def _strict() -> Iterator[None]:
    """Make errors of truncated and oversized pictures, and suppress warnings about oddities outside the pixels."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # Below twice its limit Pillow only warns of a decompression bomb; no dataset needs pictures of that size.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Other code in the process may have made Pillow fill up missing parts with grey.
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _upright(picture: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF data says; one whose EXIF data are broken as it is."""
    picture.load()
    if picture.format == "TIFF":
        return picture  # turned as it was loaded, though Pillow before 10 leaves the orientation in the EXIF data
    try:
        picture.getexif()
    except _BROKEN:
        return picture
    # What was read is kept. Into what it came from Pillow would write that the picture is upright now, and fail where
    # another entry is broken.
    for name in _RAW_EXIF:
        picture.info.pop(name, None)
    return ImageOps.exif_transpose(picture) or picture  # never None, which Pillow only says where it works in place


def _converted(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit greys, which a plain conversion would clip to white
        numbers = np.asarray(picture, dtype=np.float64)
        if numbers.min() < 0 or numbers.max() > _16_BITS:
            raise ValueError("its greys have more than 16 bits")
        return Image.fromarray((numbers / 257.0).round().astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("its greys are floating-point numbers of no known range")
    return picture.convert("RGBA" if has_transparency(picture) else "RGB")


def on_background(picture: Image.Image, background: str) -> Image.Image:
    """Return a picture that `open_raw` gave as RGB, its transparency laid over a colour such as white or #808080."""
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGBA", picture.size, background)
    return Image.alpha_composite(ground, picture).convert("RGB")


def is_colour(text: str) -> bool:
    """Tell whether Pillow knows the text as a colour."""
    try:
        ImageColor.getrgb(text)
    except ValueError:
        return False
    return True


def framed(picture: Image.Image, frame: Frame) -> Image.Image:
    """Return the part of `picture` that `frame` names, scaled to its size."""
    return picture.resize((frame.width_px, frame.height_px), Image.Resampling.LANCZOS, box=frame.box)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """Return an RGB picture as float32 [3, height, width] in -1..1."""
    array = np.asarray(picture, dtype=np.float32) / 127.5 - 1.0
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()
