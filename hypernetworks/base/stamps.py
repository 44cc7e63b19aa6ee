"""Stamps of files, to find out when one was replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

#: Time of the last change in nanoseconds, and size in bytes.
Stamp: TypeAlias = tuple[int, int]


def stamp(path: str | os.PathLike[str]) -> Stamp | None:
    """Return the stamp of the file at `path`; None where there is none or it cannot be read."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
