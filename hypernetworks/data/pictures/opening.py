"""Opens picture files: told by their content, in formats that are safe, and without what Pillow would stumble over."""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from ...base.disk import open_regular
from .ballast import without_ballast
from .formats import HEAD_BYTES, UnfitPictureError, formats_of, is_of_plug_in, misfit
from .tags import has_sane_tags

MAX_PX = 300_000_000
#: What Pillow and its plug-ins raise for broken data, in pixels and beside them.
BROKEN = (
    *(OSError, ValueError, SyntaxError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError),
    *(EOFError, struct.error, zlib.error),
)
#: What it raises for pictures of more than `MAX_PX`.
TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture, of which Pillow has read the header alone; it must be used inside of the block.

    Raises:
        one of `BROKEN`: it is no readable picture; an UnfitPictureError or OSError says why.
        one of `TOO_LARGE`: it has more than `MAX_PX` pixels.
    """
    with open_regular(path) as file, _strict:
        size = os.fstat(file.fileno()).st_size
        formats = formats_of(path, file.read(HEAD_BYTES), size)
        if "TIFF" in formats and not has_sane_tags(file, size):
            raise UnfitPictureError("its description would take more memory than the file is long")
        try:
            with Image.open(without_ballast(file, formats[0]), formats=formats) as picture:
                yield picture
        except UnidentifiedImageError as error:
            raise UnfitPictureError("its data are damaged") from error
        except RuntimeError as error:
            if not is_of_plug_in(formats):
                raise
            # What a plug-in says of it is meant for those who build its library.
            raise UnfitPictureError("its data are damaged") from error
        except AttributeError as error:
            reason = misfit(formats)
            if reason is None:
                raise
            raise UnfitPictureError(reason) from error


def check_kind(path: Path) -> None:
    """Look at the first bytes of a picture alone.

    Raises:
        OSError: it cannot be read.
        UnfitPictureError: it is none that can be read here; says what it is, and what to do.
    """
    with open_regular(path) as file:
        formats_of(path, file.read(HEAD_BYTES), os.fstat(file.fileno()).st_size)


def has_header(path: Path) -> bool:
    """Tell whether a file has the header of a picture."""
    try:
        with opened(path):
            return True
    except (*BROKEN, *TOO_LARGE):
        return False


class _Strict:
    """Errors of truncated and oversized pictures, and no warnings about oddities outside the pixels.

    Pillow's switches are of the whole process: they are set as the first of several threads comes in, and put back as
    the last goes out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before.enter_context(_switches())
            self._inside += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._before.close()


@contextmanager
def _switches() -> Iterator[None]:
    with warnings.catch_warnings():
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


_strict = _Strict()
