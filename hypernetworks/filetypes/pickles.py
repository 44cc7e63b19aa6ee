"""The operations of a pickle of unknown origin, read within bounds; nothing in it is executed."""

from __future__ import annotations

import contextlib
import io
import itertools
import pickletools
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

from .names import Names

MAX_LINE_BYTES = 64 << 10
MAX_OPERATIONS = 400_000
#: What reading a damaged pickle raises.
BROKEN = (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError, struct.error)
#: A file of torch before 1.6 is a series of pickles.
_PICKLES = 5
_MAX_TEXT = 300


class _Stream(io.BytesIO):
    """Gives only short lines, since a number written in digits takes the square of their count to read."""

    def readline(self, size: int | None = -1, /) -> bytes:
        return super().readline(MAX_LINE_BYTES if size is None or size < 0 else min(size, MAX_LINE_BYTES))


def stream(data: bytes, start: int = 0) -> io.BytesIO:
    """Return `data` from byte `start` on, as `pickletools.genops` may read it."""
    opened = _Stream(data)
    opened.seek(start)
    return opened


def names(data: bytes) -> Names:
    """Return the texts and the names of functions in the pickles that `data` begins with, as far as they are sound."""
    texts: dict[str, None] = {}
    last = deque[str](maxlen=2)
    called: dict[str, None] = {}
    with contextlib.suppress(*BROKEN):  # what stands before the damage tells enough
        for opcode, argument in itertools.islice(_operations(data), MAX_OPERATIONS):
            if opcode == "GLOBAL":
                called[str(argument).replace(" ", ".")[:_MAX_TEXT]] = None
            elif opcode == "STACK_GLOBAL":
                called[".".join(last)] = None
            elif isinstance(argument, str):
                last.append(argument[:_MAX_TEXT])
                texts[last[-1]] = None
    return Names(tuple(texts), tuple(called), any("Storage" in name for name in called))


def _operations(data: bytes) -> Iterator[tuple[str, Any]]:
    opened = stream(data)
    for _ in range(_PICKLES):
        for opcode, argument, _ in pickletools.genops(opened):
            yield opcode.name, argument
