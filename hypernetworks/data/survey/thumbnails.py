"""Thumbnails: a small copy of each picture, made when it is opened, from which the pictures of a page are cut."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..buckets import Frame
from ..dataset import Sample
from ..images import on_background, open_raw, original_size
from ..masks import mask_of, mask_weights
from ..remembered import Recent, Remembered
from .duplicates import PerceptualHash, perceptual_hash

_THUMBNAIL_PX = 320
_REDUCED_PX = 384
_KEPT = 8_000  # some 100 MB
_KNOWN = 50_000  # some 25 MB
_QUALITY = 82
_DARKEST = 0.78


@dataclass(frozen=True)
class Thumbnail:
    """What is kept of a picture.

    Attributes:
        size: width and height of the picture itself, in pixels.
        hash: what duplicates are found by.
        data: a small copy, JPEG or, with transparency, PNG.
    """

    size: tuple[int, int]
    hash: PerceptualHash
    data: bytes

    @classmethod
    def of(cls, picture: Image.Image) -> Thumbnail:
        """Return the thumbnail of a picture that `open_raw` gave."""
        # Whole pixels are averaged first: a fine filter over all of a photograph takes longer than to decode it.
        small = picture.reduce(max(1, max(picture.size) // _REDUCED_PX))
        small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.LANCZOS)
        data = io.BytesIO()
        if small.mode == "RGBA":
            small.save(data, "PNG")
        else:
            small.save(data, "JPEG", quality=_QUALITY)
        size = original_size(picture)
        return cls(size, perceptual_hash(on_background(small, "white"), size), data.getvalue())


class Thumbnails:
    """The thumbnails used last, by the digest of the picture's file; safe to use from several threads.

    Args:
        kept: how many there are at most.

    Attributes:
        remembered: what else is known of the files.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self.remembered = Remembered()
        self._thumbnails: Recent[str, Thumbnail] = Recent(kept)
        #: Size and hash of pictures whose thumbnail may be dropped: a folder of more is not opened again for them.
        self._known: Recent[str, tuple[tuple[int, int], PerceptualHash]] = Recent(_KNOWN)

    def add(self, digest: str, picture: Image.Image) -> Thumbnail:
        """Keep and return the thumbnail of a picture that has been opened."""
        found = Thumbnail.of(picture)
        self._thumbnails.put(digest, found)
        self._known.put(digest, (found.size, found.hash))
        return found

    def get(self, sample: Sample) -> Thumbnail:
        """Return the thumbnail of a sample, made again if it was dropped.

        Raises:
            DatasetError: the picture can no longer be read.
        """
        known = self._thumbnails.get(sample.picture_digest)
        return known or self.add(sample.picture_digest, open_raw(sample.path, _REDUCED_PX))

    def hash_of(self, sample: Sample) -> PerceptualHash:
        """Return what duplicates of a sample are found by.

        Raises:
            DatasetError: the picture can no longer be read.
        """
        known = self._known.get(sample.picture_digest)
        return known[1] if known else self.get(sample).hash

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the sizes (width and height in pixels) of all pictures known, by digest."""
        return {digest: size for digest, (size, _) in self._known.items()}


def whole_picture(thumbnail: Thumbnail, sample: Sample, long_px: int) -> str:
    """Return the whole picture as a data URI, its longer side at most `long_px`."""
    small = _opened(thumbnail, sample)
    small.thumbnail((long_px, long_px), Image.Resampling.LANCZOS)
    return _data_uri(small)


def large_picture(sample: Sample, long_px: int) -> str:
    """Return the whole picture as a data URI, read from its file, its longer side at most `long_px`.

    Raises:
        DatasetError: the picture can no longer be read.
    """
    picture = on_background(open_raw(sample.path, long_px), sample.subset.background)
    picture.thumbnail((long_px, long_px), Image.Resampling.LANCZOS)
    return _data_uri(picture)


def trained_picture(thumbnail: Thumbnail, sample: Sample, frame: Frame, long_px: int) -> str:
    """Return the part in a frame, in the shape in which it is trained, as a data URI, its sides at most `long_px`."""
    small = _opened(thumbnail, sample)
    across, down = small.width / thumbnail.size[0], small.height / thumbnail.size[1]
    left, top, right, bottom = frame.box
    box = (left * across, top * down, min(right * across, small.width), min(bottom * down, small.height))
    scale = min(long_px / max(frame.width_px, frame.height_px), 1.0)
    size = (max(1, round(frame.width_px * scale)), max(1, round(frame.height_px * scale)))
    return _data_uri(_masked(small.resize(size, Image.Resampling.LANCZOS, box=box), sample, frame))


def _masked(picture: Image.Image, sample: Sample, frame: Frame) -> Image.Image:
    """Darken what the mask keeps out of the loss."""
    weights = _weights(sample, frame)
    if weights is None:
        return picture
    dark = ((1.0 - weights / weights.max()) * _DARKEST * 255).astype(np.uint8)
    veil = Image.fromarray(dark).resize(picture.size, Image.Resampling.NEAREST)
    return Image.composite(Image.new("RGB", picture.size, "black"), picture, veil)


def _weights(sample: Sample, frame: Frame) -> np.ndarray | None:
    if sample.subset.masks == "off" or (sample.subset.masks == "file" and sample.mask is None):
        return None
    raw = open_raw(sample.path)
    mask = mask_of(raw, sample.subset.masks, sample.mask)
    weights = mask_weights(mask, frame, original_size(raw)) if mask is not None else None
    return None if weights is None else weights[0].numpy()


def _opened(thumbnail: Thumbnail, sample: Sample) -> Image.Image:
    with Image.open(io.BytesIO(thumbnail.data)) as opened:
        opened.load()
        return on_background(opened.copy(), sample.subset.background)


def _data_uri(picture: Image.Image) -> str:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
