"""Parts of a file, shown as a file of its own."""

from __future__ import annotations

import bisect
import io
from collections.abc import Iterable
from typing import IO, Any

Part = tuple[int, int]
"""Start and end of bytes in a file."""
_BUFFER_BYTES = 1 << 16


def shown_alone(file: IO[bytes], parts: Iterable[Part]) -> IO[bytes]:
    """Return a file of the parts of `file`, one after the other; where that is all of it, `file` itself."""
    joined: list[Part] = []
    for start, end in parts:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    whole = file.seek(0, io.SEEK_END)
    file.seek(0)
    return file if joined == [(0, whole)] else io.BufferedReader(_Parts(file, joined), _BUFFER_BYTES)


class _Parts(io.RawIOBase):
    def __init__(self, file: IO[bytes], parts: list[Part]) -> None:
        self._file = file
        self._parts = parts
        self._starts = [0]
        for start, end in parts:
            self._starts.append(self._starts[-1] + end - start)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._starts[-1]}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        number = bisect.bisect_right(self._starts, self._place) - 1
        if number >= len(self._parts):
            return 0
        start, end = self._parts[number]
        inside = self._place - self._starts[number]
        self._file.seek(start + inside)
        data = self._file.read(min(len(buffer), end - start - inside))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
