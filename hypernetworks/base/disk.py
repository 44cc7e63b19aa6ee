"""Files and folders as a disk has them: opened safely, links followed, what tools leave behind passed over."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .names import printable

#: What file managers, archivers and network drives put into folders beside names that begin with a dot, in lower case.
_LEFT_BEHIND = {
    *("__macosx", "network trash folder", "temporary items", "icon\r"),
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "recycler", "system volume information"),
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "lost+found", "__pycache__"),
}
#: Endings of what editors keep of a file before they change it, and of small copies that cameras write.
_BACKUPS = ("~", ".bak", ".old", ".orig", ".tmp", ".thm")
_BACKUP = re.compile(r"\.\w+_original")


class UnfitFileError(OSError):
    """What is there is no regular file; `strerror` tells what it is, without its name."""


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a regular file for reading, links followed.

    The file that was opened is checked, not what its name leads to later. Nothing else is even opened: a device may act
    on that, and a pipe waits for a writer.

    Raises:
        OSError: it cannot be read; an UnfitFileError where it is no regular file, or a link that leads to none.
    """
    place = Path(path)
    try:
        _check_regular(place.stat().st_mode, place)
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, "its name has a character that no file name has") from error
    except OSError as error:
        if isinstance(error, UnfitFileError) or not place.is_symlink():
            raise
        raise UnfitFileError(error.errno, f"it is a link to {_target(place)}, {_where(error)}") from error
    file = os.fdopen(descriptor, "rb")
    try:
        _check_regular(os.fstat(file.fileno()).st_mode, place)
    except UnfitFileError:
        file.close()
        raise
    return file


def is_taken(path: Path) -> bool:
    """Tell whether anything has this name, be it a link that leads nowhere."""
    return os.path.lexists(path)


def link_in_the_way(path: Path) -> str:
    """Return why nothing can be written under a name that is a link, as a sentence; empty for any other name."""
    if not path.is_symlink():
        return ""
    return f"{printable(path.name)} is a link to {_target(path)}, which is not written over; choose another name"


def is_left_behind(name: str) -> bool:
    """Tell whether a file or folder of this name is no work of a person, but of a program: a cache, a bin, a backup."""
    lower = name.lower()
    is_backup = lower.endswith(_BACKUPS) or _BACKUP.fullmatch(Path(lower).suffix)
    return lower.startswith((".", "~$")) or bool(is_backup) or lower in _LEFT_BEHIND


@dataclass(frozen=True)
class Walk:
    """The files of a folder.

    Attributes:
        files: all but what is left behind, in the order of their paths; links that lead nowhere and pipes among them.
        remarks: a sentence on each folder that was not read, and why.
        is_whole: whether the walk came to its end.
    """

    files: tuple[Path, ...]
    remarks: tuple[str, ...]
    is_whole: bool


def walk(folder: Path, is_deep: bool = True, most_files: int | None = None) -> Walk:
    """Return the files of a folder; links to folders are followed, and each folder is read once.

    Args:
        is_deep: whether the folders in it count as well.
        most_files: the walk ends where there are more files and folders than these.

    Raises:
        OSError: the folder itself cannot be read.
    """
    files: list[Path] = []
    remarks: list[str] = []
    seen: dict[str, Path] = {}
    folders, links = deque([folder]), deque[Path]()
    # Links come last, so that a folder that is in the tree itself is found under its own name.
    while folders or links:
        place = folders.popleft() if folders else links.popleft()
        real = os.path.realpath(place)
        if real in seen:
            remarks.append(_again(place, seen[real], folder))
            continue
        seen[real] = place
        try:
            for entry in _entries(place):
                if not _is_folder(entry):
                    files.append(Path(entry.path))
                elif is_deep:
                    (links if entry.is_symlink() else folders).append(Path(entry.path))
        except OSError as error:
            if place == folder:
                raise
            remarks.append(f"{_below(place, folder)} cannot be read ({error.strerror})")
        if most_files is not None and len(files) + len(seen) > most_files + 1:
            break
    is_whole = most_files is None or len(files) + len(seen) <= most_files + 1
    return Walk(tuple(sorted(files)), tuple(remarks), is_whole)


def _entries(place: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(place) as entries:
        yield from sorted((one for one in entries if not is_left_behind(one.name)), key=lambda one: one.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _again(place: Path, first: Path, folder: Path) -> str:
    known = "the whole folder" if first == folder else _below(first, folder)
    return f"{_below(place, folder)} leads to {known}, which is read already; what is in it counts once"


def _below(place: Path, folder: Path) -> str:
    return printable(place.relative_to(folder).as_posix()) if place != folder else printable(str(place))


def _check_regular(mode: int, path: Path) -> None:
    if stat.S_ISREG(mode):
        return
    kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    if path.is_symlink():
        raise UnfitFileError(errno.EINVAL, f"it is a link to {_target(path)}, which is {kind}")
    raise UnfitFileError(errno.EINVAL, f"it is {kind}")


def _target(path: Path) -> str:
    try:
        return printable(str(path.readlink()))
    except OSError:  # somebody took it away in between
        return "something"


def _where(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "where there is no file"
    if error.errno == errno.ELOOP:
        return "which leads back to itself"
    return f"which cannot be read ({error.strerror})"


def put(source: Path, target: Path) -> None:
    """Move a file or folder to a name that nothing has; a file may come from another disk.

    Raises:
        OSError: it cannot be moved; it is where it was, whole.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV or not source.is_file():
            raise
        try:
            shutil.copy2(source, target)
            source.unlink()
        except BaseException:
            target.unlink(missing_ok=True)
            raise
