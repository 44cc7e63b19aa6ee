"""Reading pictures one by one, several at a time: size, frames, mask and caption of each."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ..base.disk import open_regular
from ..base.errors import DatasetError, SettingsError
from ..base.outside import reason_of, shown_name
from ..base.randomness import derived_seed
from ..ports import SubjectFinder
from .buckets import Frame, TooSmallError, frame, frame_size, shifted
from .captions import Neighbours, find_caption, metadata_weight
from .dataset import Sample
from .images import has_size, on_background, open_raw, original_size, unreadable
from .masks import mask_beside, read_mask
from .pictures.formats import UnfitPictureError
from .pictures.opening import check_kind
from .pictures.variation import Face
from .remembered import Remembered
from .subject import face_of, finds_faces, subject_centre
from .subsets import Subset

_MOST_BYTES = 2 << 30
#: Pillow works outside of Python's lock, so that threads use the cores; each holds a picture in memory.
_MOST_THREADS = 4
#: A JPEG that is only looked at is decoded to this size, in a part of the time.
LOOKED_AT_PX = 640
NO_FACES = "needs OpenCV, which finds the faces: pip install opencv-python-headless"
#: Finders of subjects are the host's, and made for one picture at a time.
_FINDING = threading.Lock()


@dataclass(frozen=True)
class ScanHooks:
    """What a caller knows of the pictures already, and the functions called while they are read.

    Attributes:
        known: sizes of pictures, by digest, that need not be opened again.
        find_subject: tried first where a crop should follow the subject.
        on_opened: called with the digest and each picture that is opened, from several threads; a JPEG may come smaller
            than it is.
        step: called before each picture is taken with the number of those read and of all; an exception ends the
            reading.
        remembered: what earlier scans found in the files.
    """

    known: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    find_subject: SubjectFinder | None = None
    on_opened: Callable[[str, Image.Image], object] | None = None
    step: Callable[[int, int], None] | None = None
    remembered: Remembered = field(default_factory=Remembered)


@dataclass(frozen=True)
class Reader:
    """Opens pictures one by one."""

    seed: int
    hooks: ScanHooks
    neighbours: Neighbours

    def read(self, path: Path, subset: Subset) -> Sample | None:
        """Return the sample of a picture, or None where it is passed over; raises DatasetError."""
        digest = self.hooks.remembered.digest(path, _digest)
        size = self._size(path, digest)
        if size[0] * size[1] <= subset.skipped_area_px:
            return None
        try:
            framed = frame_size(subset.framing, size)
        except TooSmallError as error:
            raise TooSmallError(f"{shown_name(path)}: {error}") from error
        centre = self._centre(path, digest, subset, framed) if subset.crop == "subject" else (0.5, 0.5)
        frames: tuple[Frame, ...] = (frame(subset.framing, size, centre),)
        if subset.crop == "random":
            draws = [random.Random(derived_seed(self.seed, "crop", path.name, turn)) for turn in range(subset.repeats)]
            frames = tuple(dict.fromkeys(shifted(frames[0], size, draw.random(), draw.random()) for draw in draws))
        mask = mask_beside(path) if subset.masks == "file" else None
        full = digest if mask is None else digest + self._checked(mask)
        weight = subset.weight * metadata_weight(path, subset.source.metadata)
        caption = find_caption(path, subset.source, subset.captions.lines, self.neighbours)
        face = self._face(path, digest, subset) if subset.face_range is not None else None
        return Sample(path, caption, subset, full, size, frames, weight, mask, face)

    def _size(self, path: Path, digest: str) -> tuple[int, int]:
        size = self.hooks.known.get(digest)
        if size is not None and has_size(path, size):
            return size
        picture = open_raw(path, LOOKED_AT_PX)
        if self.hooks.on_opened is not None:
            self.hooks.on_opened(digest, picture)
        return original_size(picture)

    def _checked(self, mask: Path) -> str:
        """Return the digest of a mask that can be read."""
        digest = self.hooks.remembered.digest(mask, _digest)
        self.hooks.remembered.found(("mask", digest), lambda: read_mask(mask).size)
        return digest

    def _face(self, path: Path, digest: str, subset: Subset) -> Face | None:
        def find() -> Face | None:
            with _FINDING:
                return face_of(on_background(open_raw(path), subset.background))

        if not finds_faces():
            raise SettingsError("data.face_range", NO_FACES)
        return self.hooks.remembered.found(("face", digest, subset.background), find)

    def _centre(self, path: Path, digest: str, subset: Subset, framed: tuple[int, int]) -> tuple[float, float]:
        def find() -> tuple[float, float]:
            picture = on_background(open_raw(path), subset.background)
            finder = self.hooks.find_subject
            with _FINDING:
                found = finder(picture, framed) if finder is not None else None
                return found or subject_centre(picture)

        key = ("centre", digest, subset.background, framed, self.hooks.find_subject)
        return self.hooks.remembered.found(key, find)


def read_all(found: Sequence[tuple[Path, Subset]], reader: Reader) -> Iterator[Sample | DatasetError | None]:
    """Yield what `Reader.read` returns or raises for each picture, in their order; some are read at the same time."""

    def read(one: tuple[Path, Subset]) -> Sample | DatasetError | None:
        try:
            return reader.read(*one)
        except DatasetError as error:
            return error

    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), "hnw-pictures")
    try:
        for done, result in enumerate(pool.map(read, found)):
            if reader.hooks.step is not None:
                reader.hooks.step(done, len(found))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    try:
        check_kind(path)
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > _MOST_BYTES:
                raise unreadable(path, f"its file is over {_MOST_BYTES >> 20} MB")
            while part := file.read(1 << 20):
                found.update(part)
    except (OSError, UnfitPictureError) as error:
        raise unreadable(path, reason_of(error)) from error
    return found.hexdigest()
