"""Zips of unknown origin: opened within bounds, and what they hold in place of a network."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from .kind import Kind

MAX_DIRECTORY_BYTES = 1 << 20
#: What reading a damaged zip raises.
BROKEN = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    struct.error,
)
_END = b"PK\x05\x06"
#: The end of a zip, after which a remark of up to 64 KB may stand.
_END_BYTES = 22 + (1 << 16)
_NETWORKS = (".pt", ".safetensors", ".hns", ".ckpt", ".pth", ".bin")
_DESCRIPTION = "data.pkl"
_TORCHS = ("/version", "/data/0", _DESCRIPTION)
_SHOWN = 60
_JUNK = ("__MACOSX", ".DS_Store")

_FIND = "look for the network where you got this file"
_ELSEWHERE = "look at the page that it is from for the extension or the folder that it belongs to"
_SCRIPTED = Kind("a compiled TorchScript model", _ELSEWHERE)
_OTHER = Kind("a zip archive without a network in it", "unpack it, and put what it holds where it belongs")
_BY_MEMBER = (
    (r"\.npy$", Kind("a file of NumPy arrays, such as trainers keep", _FIND)),
    (r"^\[Content_Types\]\.xml$", Kind("an Office document", _FIND)),
    (r"^META-INF/", Kind("a program or a document of Java or OpenDocument", _FIND)),
    (r"^mergedimage\.png$", Kind("a drawing (Krita)", _FIND)),
    (r"\.(?:png|jpe?g|webp|gif|bmp)$", Kind("a zip archive of pictures", _FIND)),
)


class _Opening(io.RawIOBase):
    """Lets `zipfile` read a directory only up to a sane length, since each entry takes many times its bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.limit: int | None = MAX_DIRECTORY_BYTES

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def read(self, count: int = -1) -> bytes:
        if self.limit is None:
            return self.file.read(count)
        data = self.file.read(self.limit + 1 if count < 0 else min(count, self.limit + 1))
        if len(data) > self.limit:
            raise zipfile.BadZipFile("its directory is too large")
        return data


@contextmanager
def opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose directory is of a sane length; what it and the work on it raise is one of `BROKEN`."""
    opening = _Opening(file)
    with zipfile.ZipFile(opening) as archive:
        opening.limit = None
        yield archive


def has_end(file: IO[bytes], size: int) -> bool:
    """Tell whether a zip of `size` bytes has the directory that stands at its end."""
    file.seek(max(0, size - _END_BYTES))
    return _END in file.read(_END_BYTES)


def members(file: IO[bytes]) -> list[str]:
    """Return the names in an open zip; none where it is damaged."""
    try:
        with opened(file) as archive:
            return archive.namelist()
    except BROKEN:
        return []


def description(file: IO[bytes], most_bytes: int) -> bytes | None:
    """Return the start of the pickle in which torch describes an open zip; None where it is not one of torch's."""
    try:
        with opened(file) as archive:
            found = next((name for name in archive.namelist() if PurePosixPath(name).name == _DESCRIPTION), None)
            if found is None:
                return None
            with archive.open(found) as pickle:
                return pickle.read(most_bytes)
    except BROKEN:
        return None


def kind_of(members: Sequence[str]) -> Kind | None:
    """Return the kind of a zip with these members; None where it may be one of torch's that is damaged."""
    names = [name for name in members if not name.startswith(_JUNK)]
    if any("/code/" in name for name in names):
        return _SCRIPTED
    if not names or any(name.startswith(("/", "..")) or name.endswith(_TORCHS) for name in names):
        return None
    inside = [name for name in names if name.lower().endswith(_NETWORKS)]
    if inside:
        shown = PurePosixPath(inside[0]).name[-_SHOWN:]
        return Kind(f"a zip archive with {shown} in it", "unpack it, and put that file in its place")
    known = (kind for pattern, kind in _BY_MEMBER if any(map(re.compile(pattern, re.IGNORECASE).search, names)))
    return next(known, _OTHER)
