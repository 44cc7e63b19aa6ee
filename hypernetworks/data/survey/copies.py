"""Copies made before training: long pictures in several parts, and mirrored pictures, with their captions and masks."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps

from ...base.atomic import atomic_write
from ...base.disk import is_taken
from ...base.errors import DatasetError, SettingsError
from ...base.options import Settings, setting
from ...base.outside import shown_name, shown_path
from ...base.registry import rule
from ...ports import Progress
from ..buckets import Frame
from ..captions import FILE, NAME, CaptionOrigin
from ..dataset import Sample
from ..images import open_raw
from ..masks import SUFFIX, mask_beside, read_mask
from .survey import Survey

_MIRRORED = "mirrored"
AS_THEY_ARE, CROPPED, RESIZED = OTHERS = ("as they are", "cropped", "resized")


@dataclass(frozen=True)
class CopySettings(Settings):
    """Which copies are made of the pictures of a dataset, and where."""

    split: bool = setting(True, "Split oversized pictures", "Long pictures become several of picture width x height.")
    split_threshold: float = setting(
        0.5,
        "Split threshold",
        "A picture is split if its ratio of sides is at most this share of that of picture width x height.",
        minimum=0.0,
        maximum=1.0,
    )
    overlap: float = setting(0.2, "Overlap", "Share of a part that the next one repeats.", minimum=0.0, maximum=0.9)
    others: str = setting(
        AS_THEY_ARE,
        "Other pictures",
        "What is not split: cropped is framed as Framing and Crop above say, resized fits into picture width x height.",
        choices=OTHERS,
    )
    mirror: bool = setting(False, "Mirrored copies", "Makes a mirrored copy of every picture and part.")
    target: str = setting(
        "",
        "New folder",
        "Gets the whole dataset: parts, mirrored copies, and copies of all others. Empty: parts and mirrored "
        "copies go next to the originals.",
        is_path=True,
    )

    @rule("split", "mirror", "others")
    def _does_something(self) -> None:
        if not (self.split or self.mirror or self.others != AS_THEY_ARE):
            raise SettingsError("split", "there is nothing to do; choose split, mirror, cropped or resized")


@dataclass(frozen=True)
class Copy:
    """A picture to write.

    Attributes:
        stem: name of the new file without the extension.
        frame: the part of the original and the size it gets; None for the whole picture.
        is_plain: whether the file is copied byte for byte.
    """

    sample: Sample
    folder: Path
    stem: str
    frame: Frame | None = None
    is_mirrored: bool = False
    is_plain: bool = False

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self.folder / (self.sample.path.name if self.is_plain else f"{self.stem}.png")

    @property
    def paths(self) -> list[Path]:
        """All files that are written for it: the picture, its caption, its mask."""
        mask = [self.folder / f"{self.stem}{SUFFIX}.png"] if mask_beside(self.sample.path) else []
        return [self.path, self.folder / f"{self.stem}{self.origin.path.suffix}", *mask]

    @property
    def is_captioned(self) -> bool:
        """Whether a caption file is written for it; words of the file name stay in the name."""
        return self.origin.kind != NAME or not self.is_plain

    @property
    def origin(self) -> CaptionOrigin:
        """Where the caption comes from."""
        return self.sample.found.origin


def parts(size: tuple[int, int], target: tuple[int, int], threshold: float, overlap: float) -> list[Frame]:
    """Return the parts that a picture of `size` is split into for pictures of `target` (width and height, in pixels).

    As in the WebUI's preprocessing, the short side takes the target's, and parts of the target's size lie evenly along
    the long one, none overlapping the next by less than `overlap`. A part is never larger than it is in the picture.
    Empty where the ratio of the short to the long side is above `threshold` times the target's.
    """
    is_upright = size[1] > size[0]
    long, short = (size[1], size[0]) if is_upright else size
    to_long, to_short = (target[1], target[0]) if is_upright else target
    ratio = short * to_long / (long * to_short)
    if ratio >= 1 or ratio > threshold:
        return []
    part = short * to_long / to_short
    count = max(2, math.ceil((long / part - overlap) / (1 - overlap) - 1e-9))
    stride = (long - part) / (count - 1)
    scale = min(to_short / short, 1.0)
    width, height = max(1, round(short * scale)), max(1, round(part * scale))
    frames = []
    for number in range(count):
        start = min(number * stride, long - part)
        if is_upright:
            frames.append(Frame((0.0, start, float(short), start + part), width, height))
        else:
            frames.append(Frame((start, 0.0, start + part, float(short)), height, width))
    return frames


def plan_copies(survey: Survey, settings: CopySettings) -> list[Copy]:
    """Return the pictures to write.

    Raises:
        SettingsError: there is none, a file of such a name exists, or the new folder is in that of the pictures; names
            the field.
    """
    for own in dict.fromkeys(sample.subset.folder for sample in survey.samples):
        if settings.target and Path(settings.target).resolve().is_relative_to(own.resolve()):
            reason = (
                f"is in {shown_path(own)}, which would take the copies for pictures of its own; name another folder"
            )
            raise SettingsError("target", reason)
    copies = [copy for sample in survey.samples for copy in _of_sample(sample, survey, settings)]
    if not any(not copy.is_plain for copy in copies):
        raise SettingsError("split", "no picture is that long; there is nothing to do")
    seen: set[Path] = set()
    for path in (path for copy in copies for path in copy.paths):
        if path in seen:
            raise SettingsError("target", f"two pictures would be written to {shown_name(path)}; rename one of them")
        if is_taken(path):
            raise SettingsError("target", f"{shown_path(path)} exists already; name a new folder")
        seen.add(path)
    return copies


def write_copies(copies: list[Copy], progress: Progress) -> int:
    """Write the copies, each with its caption and its mask; return the number of pictures.

    No file is ever replaced, and after a failure or an interrupt what was written is removed.

    Raises:
        DatasetError: a file cannot be written, or Interrupt was pressed.
    """
    written: list[Path] = []
    try:
        _write_all(copies, progress, written)
    except DatasetError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return len(copies)


def _write_all(copies: list[Copy], progress: Progress, written: list[Path]) -> None:
    for done, copy in enumerate(copies):
        progress.report(done, len(copies), f"Writing pictures, {done} of {len(copies)}")
        if progress.is_interrupted():
            raise DatasetError(f"stopped after {done} of {len(copies)} pictures; none of them was kept")
        _write(copy, written)


def _of_sample(sample: Sample, survey: Survey, settings: CopySettings) -> Iterator[Copy]:
    data = survey.request.data
    folder = _folder(sample, survey, settings)
    target = (data.width, data.height)
    frames = parts(sample.size, target, settings.split_threshold, settings.overlap) if settings.split else []
    stem = sample.path.stem
    whole = None if frames else _whole(sample, settings.others, target)
    if whole is not None:
        stem = stem if settings.target else f"{stem}-{settings.others}"
        yield Copy(sample, folder, stem, whole)
    elif settings.target and not frames:
        yield Copy(sample, folder, stem, is_plain=True)
    for number, frame in enumerate(frames):
        yield Copy(sample, folder, f"{stem}-part-{number + 1}", frame)
    if settings.mirror:
        for number, found in enumerate(frames or [whole]):
            part = f"-part-{number + 1}" if frames else ""
            yield Copy(sample, folder, f"{stem}{part}-{_MIRRORED}", found, is_mirrored=True)


def _whole(sample: Sample, way: str, target: tuple[int, int]) -> Frame | None:
    """Return the frame of a picture that is not split; None where it stays as it is."""
    if way == CROPPED:
        return sample.frames[0]
    if way == AS_THEY_ARE:
        return None
    width, height = sample.size
    scale = min(1.0, target[0] / width, target[1] / height)
    return Frame((0.0, 0.0, float(width), float(height)), max(1, round(width * scale)), max(1, round(height * scale)))


def _folder(sample: Sample, survey: Survey, settings: CopySettings) -> Path:
    """Return where copies of a sample go; subfolders keep their places below a new folder."""
    if not settings.target:
        return sample.path.parent
    own = sample.subset.folder
    is_one = all(other.subset.folder == own for other in survey.samples)
    place = Path(settings.target) if is_one else Path(settings.target, own.name)
    inner = sample.path.parent
    return place / inner.relative_to(own) if inner.is_relative_to(own) else place


def _write(copy: Copy, written: list[Path]) -> None:
    sample = copy.sample
    try:
        copy.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"the folder {shown_path(copy.folder)} cannot be made: {error.strerror}") from error
    mask = mask_beside(sample.path)
    picture_path, caption_path, *mask_paths = copy.paths
    if copy.is_plain:
        _copy_file(sample.path, picture_path, written)
    else:
        _save(_drawn(open_raw(sample.path), copy, sample.size), picture_path, written)
    for path in mask_paths:
        if mask is None or copy.is_plain:
            _copy_file(mask or path, path, written)
        else:
            _save(_drawn(read_mask(mask), copy, sample.size), path, written)
    if copy.origin.kind == FILE:
        _copy_file(copy.origin.path, caption_path, written)
    elif copy.is_captioned:
        with _new_file(caption_path, written) as file:
            file.write(f"{sample.written}\n".encode())


def _drawn(picture: Image.Image, copy: Copy, size: tuple[int, int]) -> Image.Image:
    """Return the part of the picture, or of its mask, which may have another size."""
    if copy.frame is not None:
        across, down = picture.width / size[0], picture.height / size[1]
        left, top, right, bottom = copy.frame.box
        box = (left * across, top * down, min(right * across, picture.width), min(bottom * down, picture.height))
        to = (copy.frame.width_px, copy.frame.height_px)
        picture = picture.resize(to, Image.Resampling.LANCZOS, box=box)
    return ImageOps.mirror(picture) if copy.is_mirrored else picture


def _save(picture: Image.Image, path: Path, written: list[Path]) -> None:
    with _new_file(path, written) as file:
        picture.save(file, "PNG")


def _copy_file(source: Path, path: Path, written: list[Path]) -> None:
    try:
        with source.open("rb") as content, _new_file(path, written) as file:
            shutil.copyfileobj(content, file)
    except OSError as error:
        raise DatasetError(f"{shown_name(source)}: cannot be copied ({error.strerror})") from error


@contextlib.contextmanager
def _new_file(path: Path, written: list[Path]) -> Iterator[IO[bytes]]:
    if is_taken(path):
        raise DatasetError(f"{shown_path(path)} has come into being meanwhile; nothing was written over it")
    with atomic_write(path, DatasetError) as file:
        yield file
    written.append(path)
