"""Finds the pictures of a folder: by their names, and by their content where a name does not tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...base.disk import open_regular, walk
from ...base.errors import DatasetError
from ...base.outside import shown_path
from . import formats
from .opening import has_header

MOST_FILES = 200_000
#: The mask of NAME is NAME-mask.
MASK_SUFFIX = "-mask"
#: Other files that lie in datasets by the thousand; nobody has such names for pictures.
_OTHERS = {
    *(".txt", ".caption", ".json", ".jsonl", ".toml", ".yaml", ".yml", ".csv", ".md", ".xmp", ".xml"),
    *(".log", ".ini", ".npz", ".npy", ".pt", ".pth", ".ckpt", ".safetensors", ".zip", ".rar", ".7z"),
    *(".gz", ".tar", ".mp4", ".mov", ".avi", ".mkv", ".webm", ".mp3", ".wav", ".pdf", ".db"),
    *(".parquet",),
}
_HEAD_BYTES = 64


@dataclass(frozen=True)
class Found:
    """The pictures of a folder, masks not among them.

    Attributes:
        pictures: files to read as pictures, in the order of their paths; some of them may turn out to be none.
        remarks: sentences on folders that were not read, and why.
    """

    pictures: tuple[Path, ...]
    remarks: tuple[str, ...]


def find_pictures(folder: Path, is_deep: bool = True, captions: Collection[str] = ()) -> Found:
    """Return the pictures of a folder, links followed.

    Args:
        is_deep: whether the folders in it count as well.
        captions: endings of caption files, such as `.txt`.

    Raises:
        DatasetError: the folder cannot be read, or has too many files.
    """
    try:
        below = walk(folder, is_deep, MOST_FILES)
    except OSError as error:
        raise DatasetError(f"{shown_path(folder)} cannot be read ({error.strerror})") from error
    if not below.is_whole:
        raise DatasetError(f"{shown_path(folder)} holds more than {MOST_FILES:,} files and folders")
    others = _OTHERS.union(one.lower() for one in captions)
    pictures = [path for path in below.files if _is_picture(path, others)]
    bases = {path.with_suffix("") for path in pictures}
    return Found(tuple(path for path in pictures if not _is_mask(path, bases)), below.remarks)


def _is_mask(path: Path, bases: Collection[Path]) -> bool:
    """Tell whether a picture is the mask of another one; it is none of the dataset, whether masks are used or not."""
    return path.stem.endswith(MASK_SUFFIX) and path.with_name(path.stem[: -len(MASK_SUFFIX)]) in bases


def _is_picture(path: Path, others: Collection[str]) -> bool:
    if formats.is_named_so(path):
        return True
    return formats.ending(path) not in others and _holds_picture(path)


def _holds_picture(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            found = formats.may_be_picture(file.read(_HEAD_BYTES))
    except OSError:
        return False
    return bool(found) and (formats.is_certain(found) or has_header(path))
