"""Tells what a file is that people took for a hypernetwork, from small parts of it; nothing in it is executed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from ..base.disk import open_regular
from ..base.names import printable
from . import pickles, safetensors, signatures, texts, weights, zips
from .names import Names

__all__ = ["keys", "recognise", "recognise_path"]

MAX_DESCRIPTION_BYTES = 8 << 20
_HEAD_BYTES = 256 << 10
_COMPOSITION_SUFFIX = ".hns"
_PICKLE = b"\x80"
#: What programs that download add to a name until they are through.
_PARTS = (".crdownload", ".part", ".partial", ".download", ".opdownload", ".aria2", ".!qb", ".!ut", ".tmp", ".td")


def recognise(file: IO[bytes], size: int, name: str, may_be_text: bool = False) -> str | None:
    """Return what is to be told of an open file that is no sound hypernetwork; None where that cannot be known.

    Args:
        size: bytes of the file.
        name: of the file; its ending counts only where the content does not tell.
        may_be_text: whether a composition was wanted; nothing is told of a mere text then, which may be a wrong one.

    Returns:
        Its name, what it is and what to do, as a sentence without a full stop.
    """
    name = printable(name)
    suffix = Path(name).suffix.lower()
    if suffix in _PARTS:
        return f"{name}: its download has not ended; wait for it, or download it again"
    head = _read(file, 0)
    if not head:
        empty = f"{name}: it is empty, as after a download or a copy that broke off; get it again"
        return None if may_be_text else empty
    if not any(head) and not any(_read(file, size // 2)) and not any(_read(file, size - len(head))):
        return f"{name}: it is full of zeros, as after a download or a copy that broke off; get it again"
    is_zip, has_header = head.startswith(b"PK"), safetensors.has_prefix(head)
    names = _names(file)
    kind = weights.kind_of(names) if names else None
    if kind is None and ((is_zip and not zips.has_end(file, size)) or (has_header and safetensors.is_cut(file, size))):
        return f"{name}: it is damaged: its end is missing, as after a download or a copy that broke off; get it again"
    if kind is None and is_zip:
        kind = zips.kind_of(zips.members(file))
    elif kind is None and names is None:
        kind = signatures.kind_of(head) or texts.kind_of(head, size, suffix == _COMPOSITION_SUFFIX)
        kind = None if kind in texts.MERE and may_be_text else kind
    return kind.sentence(name) if kind else None


def recognise_path(path: str | os.PathLike[str], may_be_text: bool = False) -> str | None:
    """Return what `recognise` does for the file at `path`; None too where it cannot be read."""
    try:
        with open_regular(path) as file:
            return recognise(file, os.fstat(file.fileno()).st_size, Path(path).name, may_be_text)
    except OSError:
        return None


def keys(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names in the file of weights at `path`, of torch's or `.safetensors`; none for another file.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        names = _names(file)
    return names.keys if names else ()


def _names(file: IO[bytes]) -> Names | None:
    """Return the names in an open file of weights; None for another file."""
    head = _read(file, 0)
    if head.startswith(b"PK"):
        data = zips.description(file, MAX_DESCRIPTION_BYTES)
        return None if data is None else pickles.names(data)
    if safetensors.has_prefix(head):  # may begin like a pickle, with a header of 128 bytes
        return safetensors.names(file)
    if head.startswith(_PICKLE):
        file.seek(0)
        return pickles.names(file.read(MAX_DESCRIPTION_BYTES))
    return None


def _read(file: IO[bytes], place: int) -> bytes:
    file.seek(max(0, place))
    return file.read(_HEAD_BYTES)
