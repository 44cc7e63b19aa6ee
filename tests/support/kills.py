"""Runs on the fakes that kill themselves at a given one of their writes, and are continued until they end.

Run as a module in a process of its own: Python and torch start once, and each part of a chain is a fork of that. Every
act on the disk counts: a file that is opened for writing, each piece that is written to it (half of it is, before a
kill), its flush, its rename, a file that is deleted.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

# All that a part needs is imported before the forks: they would each do it again.
import torch
import torch._dynamo  # every optimizer does
from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job

NO_KILL = 1 << 60


class Act(NamedTuple):
    """An act on the disk: what is done, and the name of the file."""

    what: str
    name: str


class Killer:
    """Counts acts on the disk, and ends the process by SIGKILL at one of them.

    Args:
        wanted: tells by number and act whether this is the one.
    """

    def __init__(self, wanted: Callable[[int, Act], bool]) -> None:
        self.acts: list[Act] = []
        self._wanted = wanted

    def act(self, what: str, name: Any, before: Callable[[], Any] | None = None) -> None:
        """Count an act that is about to happen; `before` does a part of it."""
        self.acts.append(Act(what, Path(os.fsdecode(name)).name if not isinstance(name, int) else ""))
        if self._wanted(len(self.acts) - 1, self.acts[-1]):
            if before:
                before()
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Listen to this process, which will not be used for anything else."""
        sys.addaudithook(self._hear)
        fdopen = os.fdopen

        def listened(descriptor: int, mode: str = "r", *more: Any, **how: Any) -> Any:
            if "w" not in mode:
                return fdopen(descriptor, mode, *more, **how)
            return io.BufferedWriter(_Raw(descriptor, self), 1 << 14)

        os.fdopen = listened

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            if not str(arguments[0]).endswith((".pyc", ".lock")) and not str(arguments[0]).startswith("/dev/"):
                self.act("open", arguments[0])
        elif event in ("os.rename", "os.remove"):
            self.act(event.removeprefix("os."), arguments[1 if event == "os.rename" else 0])


class _Raw(io.FileIO):
    def __init__(self, descriptor: int, killer: Killer) -> None:
        super().__init__(descriptor, "w")
        self._killer = killer

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._killer.act("write", "", lambda: os.write(self.fileno(), piece[: len(piece) // 2]))
        return super().write(data)


def run(pictures: Path, folder: Path, changes: dict[str, Any], is_resumed: bool, kill: Any) -> dict[str, Any]:
    """Train in a fork; return how it ended, and the acts of one that was not killed.

    Args:
        kill: number of the act to end at, or `[what, name, how many of them come before]`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _train(pictures, folder, changes, is_resumed, kill, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"killed": True}
    return json.loads(said)


def _train(pictures: Path, folder: Path, changes: dict[str, Any], is_resumed: bool, kill: Any, pipe: int) -> None:
    seen = 0

    def wanted(number: int, act: Act) -> bool:
        nonlocal seen
        if isinstance(kill, int):
            return number == kill
        if act != tuple(kill[:2]):
            return False
        seen += 1
        return seen > kill[2]

    try:
        killer = Killer(wanted)
        job, ports = make_job(pictures, **changes), fake_ports(folder)
        killer.install()
        result = train(job, ports, resume=is_resumed)
        answer: dict[str, Any] = {"steps": result.steps, "acts": killer.acts, "sheet": str(result.sheet)}
    except WorkbenchError as error:
        answer = {"refused": str(error)}
    except BaseException:
        answer = {"failed": traceback.format_exc()}
    os.write(pipe, json.dumps(answer).encode())
    os._exit(0)


def chain(pictures: Path, folder: Path, changes: dict[str, Any], kills: list[Any]) -> list[dict[str, Any]]:
    """Start a run, and continue it after each kill until it ends; return how each part ended.

    Where there is nothing yet to continue from it is started anew, as a person would.
    """
    parts: list[dict[str, Any]] = []
    is_resumed = False
    for kill in [*kills, NO_KILL, NO_KILL]:
        part = run(pictures, folder, changes, is_resumed, kill)
        if "no saved state" in part.get("refused", ""):
            parts.append(part)
            part = run(pictures, folder, changes, False, kill)
        parts.append(part)
        is_resumed = True
    return parts


def main() -> None:
    """Read a task as JSON from standard input, and write what came of it as JSON to standard output."""
    torch.set_num_threads(1)
    task = json.load(sys.stdin)
    pictures = Path(task["pictures"])
    done = [chain(pictures, Path(one["folder"]), task["changes"], one["kills"]) for one in task["chains"]]
    json.dump(done, sys.stdout)


if __name__ == "__main__":
    main()
