"""Masks: where in a picture the loss counts, and how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..base.outside import is_file
from .buckets import Frame
from .images import open_raw
from .pictures.finding import MASK_SUFFIX

SUFFIX = MASK_SUFFIX
_ENDINGS = (".png", ".PNG", ".webp", ".jpg", ".JPG", ".jpeg", ".bmp", ".tif", ".tiff", ".tga")
LATENT_PX = 8


def mask_beside(picture: Path) -> Path | None:
    """Return the file NAME-mask.png beside NAME, or one of another ending, if there is one."""
    paths = (picture.with_name(f"{picture.stem}{SUFFIX}{ending}") for ending in _ENDINGS)
    return next((path for path in paths if is_file(path)), None)


def read_mask(path: Path) -> Image.Image:
    """Return a mask file in grey, transparent parts black.

    Raises:
        DatasetError: the file is no readable picture; names it.
    """
    picture = open_raw(path)
    if picture.mode != "RGBA":
        return picture.convert("L")
    ground = Image.new("RGBA", picture.size, "black")
    return Image.alpha_composite(ground, picture).convert("L")


def alpha_mask(picture: Image.Image) -> Image.Image | None:
    """Return the alpha channel of a picture that `open_raw` gave."""
    return picture.getchannel("A") if picture.mode == "RGBA" else None


def mask_of(raw: Image.Image, masks: str, file: Path | None) -> Image.Image | None:
    """Return the mask of the picture `raw` that `open_raw` gave, if it has one.

    Args:
        masks: one of `settings.MASKS`.
        file: the file of its mask, if it has one.

    Raises:
        DatasetError: the mask's file is no readable picture; names it.
    """
    if file is not None:
        return read_mask(file)
    return alpha_mask(raw) if masks == "alpha" else None


def mask_weights(mask: Image.Image, frame: Frame, picture: tuple[int, int]) -> Tensor | None:
    """Return the weights [1, height / 8, width / 8], of mean 1, of a picture of `picture` (width, height) pixels.

    None where the mask has no effect: within the frame it is all black, or the same everywhere.
    """
    across, down = mask.width / picture[0], mask.height / picture[1]
    left, top, right, bottom = frame.box
    box = (left * across, top * down, right * across, bottom * down)
    size = (frame.width_px // LATENT_PX, frame.height_px // LATENT_PX)
    # A box filter: the weight of a latent is the mean over its own pixels.
    grey = np.asarray(mask.resize(size, Image.Resampling.BOX, box=box), dtype=np.float32)
    if grey.max() == grey.min():
        return None
    weights = torch.from_numpy(grey.copy())[None]
    return weights / weights.mean()
