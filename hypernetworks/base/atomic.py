"""Writes a file whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import HypernetworkFileError, WorkbenchError


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
    if target.is_dir():
        raise error(f"{target.name}: cannot be written, a folder has this name")
    temporary = target.with_name(f".{target.stem[:40]}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as reason:
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


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` whole or not at all; raises HypernetworkFileError."""
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path` whole or not at all; raises HypernetworkFileError."""
    write_bytes(path, text.encode("utf-8"))


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
