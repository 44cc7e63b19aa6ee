"""One writer for a name at a time, among all processes of a machine, and of several where their disk can do it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from .atomic import write_text
from .errors import HypernetworkFileError, WorkbenchError
from .outside import read_json

_MAX_BYTES = 1 << 16
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def held(path: Path, doing: str, error: Callable[[str], WorkbenchError]) -> Iterator[None]:
    """Hold the name `path` while the block runs.

    The lock is one of the system's, on a file beside `path`, so it ends with its process however that ends. Where the
    disk knows no locks, or takes no more files, the block runs without one.

    Args:
        doing: what is done meanwhile, for the sentence that others get, such as `portrait is being trained`.

    Raises:
        What `error` makes of a sentence, where somebody else holds the name; it says who.
    """
    lock = filelock.FileLock(str(path.with_name(f".{path.name}.lock")))
    owner = path.with_name(f".{path.name}.owner")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as reason:
        raise error(f"{_owner(owner, path)}; wait for its end, or choose another name") from reason
    except (OSError, NotImplementedError) as reason:
        _log.warning("%s cannot be locked against other processes: %s", path.name, reason)
        yield
        return
    try:
        _sign(owner, doing)
        yield
    finally:
        with contextlib.suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def _sign(owner: Path, doing: str) -> None:
    """Write down who holds the lock; the file of the lock itself cannot be read on Windows."""
    now = {"doing": doing, "pid": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M")}
    with contextlib.suppress(HypernetworkFileError):  # others are told less
        write_text(owner, json.dumps(now))


def _owner(owner: Path, path: Path) -> str:
    """Return a part of a sentence on who holds the lock."""
    try:
        found = read_json(owner, _MAX_BYTES)
        who = f"process {int(found['pid'])} on {str(found['host'])[:100]}"
        return f"{str(found['doing'])[:300]} by {who} since {str(found['since'])[:40]}"
    except (OSError, ValueError, KeyError, TypeError):  # UnfitTextError is a ValueError
        return f"{path.name} is being written by another process"
