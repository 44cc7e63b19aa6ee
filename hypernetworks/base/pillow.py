"""Functions that Pillow 9.5, which the WebUI pins, does not have yet."""

from __future__ import annotations

from PIL import Image, ImageFont


def has_transparency(picture: Image.Image) -> bool:
    """Tell whether some part of the picture may be transparent: an alpha channel, or a colour that means clear."""
    return picture.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in picture.info


def label_font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the built-in font for labels, in `size_px` where this Pillow can."""
    try:
        return ImageFont.load_default(size_px)
    except TypeError:  # before Pillow 10.1 there is only one size
        return ImageFont.load_default()
