"""Pictures: opened safely, turned upright, laid on a background, and framed."""

from __future__ import annotations

import math
import struct
import threading
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
_LONGEST_COLOUR = 100
MAX_PX = 300_000_000
_LARGE_PX = 64_000_000
_REDUCIBLE = ("L", "RGB", "RGBA", "LA", "CMYK", "YCbCr")
_SIZE = "size in its file"
#: What those endings hold. No other: Pillow has an outside program interpret some, such as EPS, whatever their name.
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF")
#: Pillow's switches are of the whole process, so that one picture is read at a time.
_LOCK = threading.RLock()


def open_picture(path: Path, background: str = "white") -> Image.Image:
    """Return the first frame of a picture as RGB, turned as its EXIF data says, transparency laid over `background`.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    return on_background(open_raw(path), background)


def open_raw(path: Path) -> Image.Image:
    """Return the first frame of a picture, turned as its EXIF data says: RGBA where it has transparency, else RGB.

    One of more than 64 million pixels comes smaller than it is, so that it takes a bounded memory; see `original_size`.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    try:
        with _strict(), Image.open(path, formats=_formats()) as opened:
            size = opened.size
            if size[0] * size[1] > MAX_PX:
                raise DatasetError(_too_large(path))
            return _of_size(_converted(_upright(_reduced(opened))), size)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(_too_large(path)) from error
    except MemoryError as error:
        raise DatasetError(f"{path.name}: the picture cannot be read (there is too little memory for it)") from error
    except _BROKEN as error:
        raise DatasetError(f"{path.name}: the picture cannot be read ({error})") from error


def original_size(picture: Image.Image) -> tuple[int, int]:
    """Return the width and height that a picture that `open_raw` gave has in its file, turned upright."""
    size: tuple[int, int] = picture.info.get(_SIZE, picture.size)
    return size


def _too_large(path: Path) -> str:
    return f"{path.name}: the picture cannot be read (it has more than {MAX_PX // 10**6} million pixels)"


def _reduced(picture: Image.Image) -> Image.Image:
    """Return a picture of at most `_LARGE_PX`, each of its pixels the mean of some of the file's."""
    factor = math.ceil(math.sqrt(picture.width * picture.height / _LARGE_PX))
    if factor == 1:
        return picture
    wanted = (picture.width // factor, picture.height // factor)
    format_ = picture.format
    picture.draft(None, wanted)  # a JPEG is decoded at once to half or a quarter of its size
    picture.load()  # a TIFF is turned upright by that
    if picture.width * picture.height > _LARGE_PX and picture.mode in _REDUCIBLE:
        reduced = picture.reduce(math.ceil(math.sqrt(picture.width * picture.height / _LARGE_PX)))
        reduced.format = format_
        reduced.info = picture.info  # with the EXIF data
        return reduced
    return picture


def _of_size(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Note the size in the file with a picture that was reduced; one that was turned has its sides the other way."""
    if size[0] * size[1] > _LARGE_PX:
        is_turned = (picture.width > picture.height) != (size[0] > size[1])
        picture.info[_SIZE] = size[::-1] if is_turned else size
    return picture


def has_size(path: Path, size: tuple[int, int]) -> bool:
    """Tell from the header of a picture alone whether its sides are those of `size`, one way or the other."""
    try:
        with _strict(), Image.open(path, formats=_formats()) as opened:
            return sorted(opened.size) == sorted(size)
    except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False


def _formats() -> tuple[str, ...]:
    """Return those of `_FORMATS` that this Pillow, with its plug-ins, can read."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@contextmanager
def _strict() -> Iterator[None]:
    """Make errors of truncated and oversized pictures, and suppress warnings about oddities outside the pixels."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        # Below twice its limit Pillow only warns of a decompression bomb; no dataset needs pictures of that size.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Other code in the process may have made Pillow fill up missing parts with grey.
        before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        # Pillow's own limit is lower, and a host may have none.
        Image.MAX_IMAGE_PIXELS = MAX_PX
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = before


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
    laid = Image.alpha_composite(ground, picture).convert("RGB")
    if _SIZE in picture.info:
        laid.info[_SIZE] = picture.info[_SIZE]
    return laid


def is_colour(text: str) -> bool:
    """Tell whether Pillow knows the text as a colour."""
    if len(text) > _LONGEST_COLOUR:
        return False
    try:
        ImageColor.getrgb(text)
    except ValueError:
        return False
    return True


def framed(picture: Image.Image, frame: Frame) -> Image.Image:
    """Return the part of `picture` that `frame` names, scaled to its size."""
    width, height = original_size(picture)
    across, down = picture.width / width, picture.height / height
    left, top, right, bottom = frame.box
    box = (left * across, top * down, min(right * across, picture.width), min(bottom * down, picture.height))
    return picture.resize((frame.width_px, frame.height_px), Image.Resampling.LANCZOS, box=box)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """Return an RGB picture as float32 [3, height, width] in -1..1."""
    array = np.asarray(picture, dtype=np.float32) / 127.5 - 1.0
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()
