"""What is known of picture files since they were last read, so that an unchanged one is not read again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..base.stamps import stamp

_KEPT = 50_000
#: A file may be written again within the same tick of its disk's clock; those of FAT take two seconds.
_TICK_NS = 2_000_000_000

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """The values used last; safe in several threads.

    Args:
        kept: how many there are at most.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: OrderedDict[_K, _V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _K) -> _V | None:
        """Return the value, or None where it is not known or was dropped."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: _K, value: _V) -> None:
        """Keep a value; the one that was used longest ago is dropped for it."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._kept:
                self._values.popitem(last=False)

    def items(self) -> list[tuple[_K, _V]]:
        """Return what is kept now."""
        with self._lock:
            return list(self._values.items())


class Remembered:
    """Digests of files by their path, size and time of change, and what was found in files by their digest."""

    def __init__(self) -> None:
        self._digests: Recent[tuple[Any, ...], str] = Recent(_KEPT)
        self._found: Recent[Hashable, Any] = Recent(_KEPT)

    def digest(self, path: Path, read: Callable[[Path], str]) -> str:
        """Return the digest of a file, by `read` where the file is not known or has changed."""
        now = stamp(path)
        key = (str(path), now)
        known = self._digests.get(key)
        if known is not None:
            return known
        started = time.time_ns()
        digest = read(path)
        if now is not None and now[0] < started - _TICK_NS and stamp(path) == now:
            self._digests.put(key, digest)
        return digest

    def found(self, key: Hashable, find: Callable[[], _V]) -> _V:
        """Return what `find` returns, which is called once for a key."""
        known = self._found.get(key)
        if known is None:
            known = (find(),)
            self._found.put(key, known)
        value: _V = known[0]
        return value
