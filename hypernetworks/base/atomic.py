"""Writes a file whole or not at all."""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from .errors import HypernetworkFileError, WorkbenchError

#: This machine, in names of temporary files on a disk that several machines may share.
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_PART = re.compile(r"\..{0,40}\.(?:([0-9a-f]{8})-(\d{1,10})-)?[0-9a-f]{8}\.part", re.DOTALL)
_DAY_S = 86_400.0
#: Names of the temporary files that this process writes right now.
_writing: set[str] = set()


@contextlib.contextmanager
def atomic_write(
    path: str | os.PathLike[str], error: type[WorkbenchError] = HypernetworkFileError
) -> Iterator[IO[bytes]]:
    """Yield a binary file that replaces `path` once the block ends without an exception.

    The bytes go to a temporary name in the same folder, are flushed to the disk and then renamed, so that a reader
    sees the old file or the new one and never a part. After any exception in the block the old file is untouched
    and the temporary one is gone.

    Raises:
        `error` (HypernetworkFileError unless named), with the reason, when the disk or the folder refuses the file.
    """
    target = Path(path)
    if (what := not_regular(target)) is not None:
        raise error(f"{target.name}: cannot be written, {what} has this name")
    temporary = target.with_name(f".{target.stem[:40]}.{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.part")
    _writing.add(temporary.name)
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as reason:
        _writing.discard(temporary.name)
        raise error(_sentence(target, reason)) from reason
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _keep_mode(temporary, target)
        temporary.replace(target)
        _flush_folder(target.parent)
    except OSError as reason:
        raise error(_sentence(target, reason)) from reason
    finally:
        temporary.unlink(missing_ok=True)
        _writing.discard(temporary.name)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` whole or not at all; raises HypernetworkFileError."""
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path` whole or not at all; raises HypernetworkFileError."""
    write_bytes(path, text.encode("utf-8"))


def not_regular(path: Path) -> str | None:
    """Return what has the name `path` in words; None for a regular file, and where there is nothing.

    To replace a device or a pipe by a file would take it from whoever uses it.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # writing tells what is wrong with the name
        return None
    if stat.S_ISREG(mode):
        return None
    kinds = {"a folder": stat.S_ISDIR, "a pipe": stat.S_ISFIFO, "a socket": stat.S_ISSOCK}
    return next((kind for kind, is_it in kinds.items() if is_it(mode)), "a device")


def not_folder(path: Path) -> str | None:
    """Return what has the name `path` in words; None for a folder, and where there is nothing."""
    try:
        return None if stat.S_ISDIR(path.stat().st_mode) else not_regular(path) or "a file"
    except (OSError, ValueError):
        return None


def sweep(folder: Path, is_held: bool = False) -> int:
    """Delete what killed processes left of files in `folder`; return how many there were.

    Those that somebody may still be writing stay: of a living process, and of another machine for a day. Older versions
    did not name their process; theirs stay for a day too.

    Args:
        is_held: whether nobody but this process can be writing there.
    """
    swept = 0
    for path in folder.glob(".*.part"):
        found = _PART.fullmatch(path.name)
        if found is None or path.name in _writing:
            continue
        with contextlib.suppress(OSError):  # somebody else swept it, or the folder cannot be changed
            if is_held or not _may_be_written(path, found):
                path.unlink()
                swept += 1
    return swept


def _may_be_written(path: Path, found: re.Match[str]) -> bool:
    """Tell whether a process that may be alive writes `path`, whose name has host and number of the process or not."""
    host, pid = found.groups()
    if host != _HOST:
        return time.time() - path.stat().st_mtime < _DAY_S
    if int(pid) == os.getpid():
        return False  # of an earlier process of this number
    try:
        return bool(psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _sentence(target: Path, reason: OSError) -> str:
    return f"{target.name}: cannot be written to {target.parent}: {reason.strerror or reason}; nothing was changed"


def _keep_mode(temporary: Path, target: Path) -> None:
    """Copy the permissions of the file that is replaced."""
    with contextlib.suppress(OSError):  # there was none, or only a link that leads nowhere
        temporary.chmod(target.stat().st_mode & 0o777)


def _flush_folder(folder: Path) -> None:
    """Flush the folder, so that the rename is on the disk too, where the system allows it."""
    if os.name != "posix":
        return
    # The file is in place already; nothing is lost where a file system cannot flush a folder.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
