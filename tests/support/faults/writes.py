"""Disks that are full and things that stand where a run writes: nothing made before is lost, one sentence tells.

Each case trains on the fakes. A full disk is one that takes no byte more from a given step on.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import draw_pictures, make_job

from . import Case, NotHandledError

SEED, DRAWN = 14, 12
#: Two pictures are enough; a copy every second step, with its state, and a preview.
_CHANGES = {
    "train__max_steps": 6,
    "output__save_every": "2",
    "preview__every": "2",
    "preview__prompt": "a cat",
    "output__sheet": False,
}


def _bind(path: Path) -> None:
    # Names of sockets are short; the folder is reached by a relative one.
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


_OBSTACLES: dict[str, Callable[[Path], Any]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo if hasattr(os, "mkfifo") else Path.mkdir,
    "a socket": _bind,
    "a device": lambda path: path.symlink_to("/dev/null"),
}
_FILES = ("hypernetworks/fake.pt", "logs/fake/log.csv", "logs/fake/job.toml", "logs/fake/fake-running.state")
_FOLDERS = ("hypernetworks", "logs/fake", "logs/fake/previews", "logs/latents")


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for what, make in _OBSTACLES.items():
        for name in _FILES:
            yield Case(f"{what} called {name}", partial(_in_the_way, name, make))
    for name in _FOLDERS:
        yield Case(f"a file called {name}", partial(_in_the_way, name, Path.touch))
    draw = random.Random(SEED)
    for number in range(DRAWN):
        yield Case(f"full disk {number}", partial(_full, draw.randrange(0, 400_000)))


def _in_the_way(name: str, make: Callable[[Path], Any], folder: Path) -> str | None:
    pictures = draw_pictures(folder / "pictures")
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    make(place)
    before = place.lstat()
    try:
        train(make_job(pictures, **_CHANGES, output__overwrite=True), fake_ports(folder))
    except WorkbenchError as error:
        after = place.lstat()
        if (before.st_mode, before.st_ino) != (after.st_mode, after.st_ino):
            raise NotHandledError(f"{name} was replaced") from error
        if str(place) not in str(error):
            raise NotHandledError(f"{error} does not name {place}") from error
        return str(error)
    raise NotHandledError(f"the run took no notice of {name}")


def _full(room: int, folder: Path) -> str | None:
    """Train on a disk that takes `room` bytes, and again after it was emptied."""
    pictures = draw_pictures(folder / "pictures")
    earlier = train(make_job(pictures, output__name="earlier", **_CHANGES), fake_ports(folder))
    kept = earlier.network.read_bytes()
    said = None
    with _disk(room):
        try:
            train(make_job(pictures, **_CHANGES), fake_ports(folder))
        except WorkbenchError as error:
            said = str(error)
    if earlier.network.read_bytes() != kept:
        raise NotHandledError("a network made before was changed")
    for path in folder.rglob("*.pt"):
        files.load(path)  # all that is there is whole
    if list(folder.rglob("*.part")):
        raise NotHandledError("a temporary file was left")
    if said is not None and "No space left" not in said:
        raise NotHandledError(f"{said} does not tell that the disk is full")
    return said


@contextmanager
def _disk(room: int) -> Iterator[None]:
    """Let all files together that are opened for writing take `room` bytes more."""
    left = [room]
    opened, fdopen = io.open, os.fdopen

    class Raw(io.FileIO):
        def write(self, data: Any) -> int:
            if len(data) > left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= len(data)
            return super().write(data)

    def open_(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **how: Any) -> Any:
        if not isinstance(file, (str, os.PathLike)) or "b" not in mode or not set(mode) & set("wa"):
            return opened(file, mode, buffering, *more, **how)
        raw = Raw(file, mode.replace("b", ""))
        return raw if buffering == 0 else io.BufferedWriter(raw)

    def fdopen_(descriptor: int, mode: str = "r", *more: Any, **how: Any) -> Any:
        return io.BufferedWriter(Raw(descriptor, "w")) if "w" in mode else fdopen(descriptor, mode, *more, **how)

    with (
        mock.patch.object(io, "open", open_),
        mock.patch.object(builtins, "open", open_),
        mock.patch.object(os, "fdopen", fdopen_),
    ):
        yield
