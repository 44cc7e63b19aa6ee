"""`launch.py test`: pytest, with the files of tests shared among the processor's cores."""

import importlib
import os
import sys
from collections.abc import Sequence

MOST_WORKERS = 4  # each loads torch, and some hold a model and a browser


def main(arguments: Sequence[str]) -> int:
    """Run pytest with the user's arguments, or the mutations, and return the exit code."""
    if any(argument.partition("=")[0] == "--mutations" for argument in arguments):
        return int(importlib.import_module("standalone.mutations.command").main(arguments))
    shared = sharing(
        arguments, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if shared:
        # One thread a worker: workers that each take all cores hold one another up.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Else each worker, and each program that a test starts, compiles all sources anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    return int(importlib.import_module("pytest").main([*shared, *arguments]))


def sharing(arguments: Sequence[str], cores: int) -> list[str]:
    """Return pytest's options that share the tests among `cores`; none where the user names tests or a number.

    A file's tests stay together, for they share a server, a browser or a model; and the files keep their order: the
    slow ones come first, lest one core works on such a file at the end while the others wait.
    """
    if cores == 1 or any(_chooses(argument) for argument in arguments):
        return []
    # One more than the cores: a test in the browser waits for the page or the server half of the time.
    return ["-n", str(min(cores + 1, MOST_WORKERS)), "--dist", "loadfile", "--no-loadscope-reorder"]


def _chooses(argument: str) -> bool:
    """Tell whether an argument names a test file, says how to share, or stops at a prompt."""
    return ".py" in argument or argument in ("--pdb", "-s", "--numprocesses", "no:xdist") or argument.startswith("-n")
