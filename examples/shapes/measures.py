"""What a style's training changed: outlines, and captions still followed."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from .judge import follows
from .judge import outline_contrast as picture_outline_contrast


def outline_contrast(pictures: Sequence[Image.Image]) -> float:
    """Return the mean contrast of the dark band along the shapes' edges, 0..1; about 0 for plain pictures."""
    return sum(picture_outline_contrast(picture) for picture in pictures) / len(pictures)


def share_followed(pictures: Sequence[Image.Image], captions: Sequence[str]) -> float:
    """Return the share of the pictures that show the colour and the shape of their caption."""
    return sum(follows(*pair) for pair in zip(pictures, captions, strict=True)) / len(pictures)
