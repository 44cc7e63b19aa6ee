"""Pictures: opened safely, turned upright, put on a ground, and framed."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageColor, ImageOps

from ..errors import DatasetError
from ..pillow import has_transparency
from .buckets import Frame

#: A picture of a kind that the installed Pillow cannot read (older ones lack AVIF) is told like a broken one.
EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"}


def open_picture(path: Path, background: str = "white") -> Image.Image:
    """The first frame of a picture as RGB, turned as its EXIF data says, transparency laid over `background`.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    return on_background(open_raw(path), background)


def open_raw(path: Path) -> Image.Image:
    """The first frame of a picture, turned as its EXIF data says: RGBA where it has transparency, else RGB.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a decompression bomb below twice its limit; a dataset has no business there.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                upright = ImageOps.exif_transpose(opened) or opened
                return _converted(upright)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{path.name}: the picture cannot be read ({error})") from error


def _converted(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit greys, which a plain conversion would clip to white
        grey = np.asarray(picture, dtype=np.float64) / 257.0
        return Image.fromarray(grey.clip(0, 255).round().astype(np.uint8)).convert("RGB")
    return picture.convert("RGBA" if has_transparency(picture) else "RGB")


def on_background(picture: Image.Image, background: str) -> Image.Image:
    """RGB of a picture that `open_raw` gave, its transparency laid over a colour such as white or #808080."""
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGBA", picture.size, background)
    return Image.alpha_composite(ground, picture).convert("RGB")


def is_colour(text: str) -> bool:
    """Whether Pillow knows the colour."""
    try:
        ImageColor.getrgb(text)
    except ValueError:
        return False
    return True


def framed(picture: Image.Image, frame: Frame) -> Image.Image:
    """The part of `picture` that `frame` names, at its size."""
    return picture.resize((frame.width_px, frame.height_px), Image.Resampling.LANCZOS, box=frame.box)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """RGB picture as float32 [3, height, width] in -1..1."""
    array = np.asarray(picture, dtype=np.float32) / 127.5 - 1.0
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()
