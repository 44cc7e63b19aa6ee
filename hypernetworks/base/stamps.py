"""Stamps of files, to find out when one was replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

#: Time of the last change in nanoseconds, size in bytes, and number on its disk: files of an archive share the others.
Stamp: TypeAlias = tuple[int, int, int]


def stamp(path: str | os.PathLike[str]) -> Stamp | None:
    """Return the stamp of the file at `path`, a link followed; None where there is none or it cannot be read."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
