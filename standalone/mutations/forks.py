"""Calls a function in a child of this process, with limits, in a folder that goes with it."""

from __future__ import annotations

import math
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_MEMORY_BYTES = 12 << 30  # a changed size may ask for any amount
NO_ANSWER = "no answer"
DIED = "died"
_ANSWER = "answer"


def in_child(run: Callable[[], Any], limit_s: float, wall_s: float) -> Any:
    """Return what `run` gives in a child in a folder of its own; NO_ANSWER where it takes too long.

    DIED is given for a child that ends of something else, such as too little memory.
    """
    with tempfile.TemporaryDirectory(prefix="mutations-", ignore_cleanup_errors=True) as folder:
        answer = Path(folder) / _ANSWER
        child = os.fork()
        if child == 0:
            _be_child(run, Path(folder), math.ceil(limit_s))
        try:
            died_of = wait(child, wall_s)
        finally:
            end(child)
        if died_of == signal.SIGXCPU:
            return NO_ANSWER
        return pickle.loads(answer.read_bytes()) if answer.exists() else DIED


def wait(child: int, limit_s: float) -> int:
    """Return the signal that a child died of, 0 where it ended by itself; SIGXCPU too where it does not end."""
    stop = time.monotonic() + limit_s
    while time.monotonic() < stop:
        status = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is not None:
            return 0 if status.si_code == os.CLD_EXITED else status.si_status
        time.sleep(0.02)
    return signal.SIGXCPU


def end(child: int) -> None:
    """Kill a child and what it has started."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # before it made its group
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def go_into(folder: Path) -> None:
    """Make this process one of its own group, in `folder`, that says nothing and is asked nothing."""
    os.setpgid(0, 0)
    os.chdir(folder)
    with (folder / "said").open("wb") as said, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)


def _be_child(run: Callable[[], Any], folder: Path, limit_s: int) -> None:
    """Write the answer and end, whatever happens, without the parent's clean-up."""
    import resource  # noqa: PLC0415 - not on Windows

    try:
        go_into(folder)
        used_s = math.ceil(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + limit_s, used_s + limit_s + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
        part = folder / f"{_ANSWER}.part"
        part.write_bytes(pickle.dumps(run()))
        part.rename(folder / _ANSWER)
    finally:
        os._exit(0)
