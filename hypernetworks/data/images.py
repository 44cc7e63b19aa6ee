"""Pictures: opened safely, turned upright, laid on a background, and framed."""

from __future__ import annotations

import io
import math
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageColor, ImageOps

from ..base.errors import DatasetError
from ..base.names import printable
from ..base.outside import shown_name
from ..base.pillow import has_transparency
from .buckets import Frame
from .pictures.opening import BROKEN, MAX_PX, TOO_LARGE, opened
from .pictures.tags import has_sane_tags

#: Where Pillow keeps EXIF data as they came.
_RAW_EXIF = ("exif", "Raw profile type exif")
_ORIENTATION = 0x0112
_EXIF_MARK = b"Exif\0\0"
_LONGEST_REASON = 300
_16_BITS = 65535
_LONGEST_COLOUR = 100
_LARGE_PX = 64_000_000
_STRIP_ROWS = 64
#: The most by which a JPEG is decoded smaller.
_DRAFT_FACTOR = 8
#: Of the large pictures one is in memory at a time, whatever the threads.
_LARGE_ONE = threading.Lock()
_REDUCIBLE = ("L", "RGB", "RGBA", "LA", "CMYK", "YCbCr")
_SIZE = "size in its file"


def open_picture(path: Path, background: str = "white") -> Image.Image:
    """Return the first frame of a picture as RGB, turned as its EXIF data says, transparency laid over `background`.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    return on_background(open_raw(path), background)


def open_raw(path: Path, needed_px: int = 0) -> Image.Image:
    """Return the first frame of a picture, turned as its EXIF data says: RGBA where it has transparency, else RGB.

    One of more than 64 million pixels comes smaller than it is, so that it takes a bounded memory; see `original_size`.

    Args:
        needed_px: a JPEG may come smaller too, its sides at least so long; 0 where all pixels are needed.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    try:
        with opened(path) as picture:
            size = picture.size
            if size[0] * size[1] > MAX_PX:
                raise Image.DecompressionBombError
            with _alone(size):
                _draft(picture, needed_px)
                return _of_size(_converted(_upright(_reduced(picture))), size)
    except TOO_LARGE as error:
        raise unreadable(path, f"it has more than {MAX_PX // 10**6} million pixels") from error
    except MemoryError as error:
        raise unreadable(path, "there is too little memory for it") from error
    except BROKEN as error:
        raise unreadable(path, _reason(error)) from error


def original_size(picture: Image.Image) -> tuple[int, int]:
    """Return the width and height that a picture that `open_raw` gave has in its file, turned upright."""
    size: tuple[int, int] = picture.info.get(_SIZE, picture.size)
    return size


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return " ".join(printable(text or str(error) or type(error).__name__).split())[:_LONGEST_REASON]


def unreadable(path: Path, reason: str) -> DatasetError:
    """Return the error of a file that is no readable picture."""
    return DatasetError(f"{shown_name(path)}: the picture cannot be read ({reason})")


def _alone(size: tuple[int, int]) -> AbstractContextManager[Any]:
    """Return a context in which no other large picture is in memory, where a picture of this size is one."""
    return _LARGE_ONE if size[0] * size[1] > _LARGE_PX // 4 else nullcontext()


def _draft(picture: Image.Image, needed_px: int) -> None:
    """Let a JPEG be decoded at once to a part of its size."""
    width, height = picture.size
    # Sides that differ by a few pixels could come out as long as each other, and no longer tell how it is turned.
    if needed_px and not 0 < abs(width - height) < _DRAFT_FACTOR:
        picture.draft(None, (needed_px, needed_px))


def _reduced(picture: Image.Image) -> Image.Image:
    """Return a picture of at most `_LARGE_PX`, each of its pixels the mean of some of the file's."""
    factor = _factor(picture)
    if factor == 1:
        return picture
    format_ = picture.format
    # A JPEG is decoded at once to half or a quarter of its size.
    picture.draft(None, (picture.width // factor, picture.height // factor))
    picture.load()  # a TIFF is turned upright by that
    factor = _factor(picture)
    if factor == 1:
        return picture
    is_plain = picture.mode in _REDUCIBLE and "transparency" not in picture.info
    reduced = picture.reduce(factor) if is_plain else _reduced_by_strips(picture, factor)
    reduced.format = format_
    # With the EXIF data, without a colour that means clear, which is an alpha channel now.
    reduced.info = {name: value for name, value in picture.info.items() if name != "transparency"}
    return reduced


def _factor(picture: Image.Image) -> int:
    """Return by how much the sides must be divided."""
    return math.ceil(math.sqrt(picture.width * picture.height / _LARGE_PX))


def _reduced_by_strips(picture: Image.Image, factor: int) -> Image.Image:
    """Reduce a picture of few colours or of 16 bits, whose pixels have no mean, converted a strip at a time."""
    strips = []
    for top in range(0, picture.height, factor * _STRIP_ROWS):
        bottom = min(top + factor * _STRIP_ROWS, picture.height)
        strips.append(_converted(picture.crop((0, top, picture.width, bottom))).reduce(factor))
    reduced = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        reduced.paste(strip, (0, top))
        top += strip.height
    return reduced


def _of_size(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Note the size in the file with a picture that was reduced; one that was turned has its sides the other way."""
    if picture.width * picture.height != size[0] * size[1]:
        is_turned = (picture.width > picture.height) != (size[0] > size[1])
        picture.info[_SIZE] = size[::-1] if is_turned else size
    return picture


def has_size(path: Path, size: tuple[int, int]) -> bool:
    """Tell from the header of a picture alone whether its sides are those of `size`, one way or the other."""
    try:
        with opened(path) as picture:
            return sorted(picture.size) == sorted(size)
    except (*BROKEN, *TOO_LARGE):
        return False


def _upright(picture: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF data says; one whose EXIF data are broken as it is."""
    picture.load()
    if picture.format == "TIFF":
        return picture  # turned as it was loaded, though Pillow before 10 leaves the orientation in the EXIF data
    try:
        exif = picture.info.get("exif") or b""
        if not has_sane_tags(io.BytesIO(exif.removeprefix(_EXIF_MARK)), len(exif)):
            return picture
        is_upright = picture.getexif().get(_ORIENTATION, 1) == 1
    except BROKEN:
        return picture
    # What was read is kept. Into what it came from Pillow would write that the picture is upright now, and fail where
    # another entry is broken.
    for name in _RAW_EXIF:
        picture.info.pop(name, None)
    if is_upright:
        return picture
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
