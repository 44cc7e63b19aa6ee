"""Pictures: opened safely, turned upright, scaled with their ratio and cropped in the centre."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from ..errors import DatasetError
from ..pillow import has_transparency

EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


def open_picture(path: Path) -> Image.Image:
    """The first frame of a picture as RGB, turned as its EXIF data says, transparency laid over white.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a decompression bomb below twice its limit; a dataset has no business there.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                upright = ImageOps.exif_transpose(opened) or opened
                return _flatten(upright)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{path.name}: the picture cannot be read ({error})") from error


def _flatten(picture: Image.Image) -> Image.Image:
    if has_transparency(picture):
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    if picture.mode.startswith("I"):  # 16-bit greys, which a plain conversion would clip to white
        grey = np.asarray(picture, dtype=np.float64) / 257.0
        return Image.fromarray(grey.clip(0, 255).round().astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")


def fit(picture: Image.Image, width_px: int, height_px: int) -> Image.Image:
    """Scales `picture` with its ratio until it covers the size, and crops the centre."""
    return ImageOps.fit(picture, (width_px, height_px), Image.Resampling.LANCZOS)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """RGB picture as float32 [3, height, width] in -1..1."""
    array = np.asarray(picture, dtype=np.float32) / 127.5 - 1.0
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()
