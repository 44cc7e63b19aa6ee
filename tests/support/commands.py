"""Command lines that start quickly: each runs in a fork of one process that has imported what they all need."""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from tests import sources

#: What takes longest to import; the imports start no thread, which a fork would lack.
HEAVY = ("torch", "gradio", "transformers.models.clip.modeling_clip", "matplotlib.pyplot", "scipy.integrate")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def code_of(module: str, function: str = "main") -> str:
    """Return Python code that ends as `module.function` does with the arguments of the process."""
    return f"import sys; from {module} import {function}; sys.exit({function}(sys.argv[1:]))"


def start(module: str, *arguments: object, **options: Any) -> subprocess.Popen[Any]:
    """Start `module.main` in a process of its own from the beginning, to be watched, asked and killed.

    Args:
        options: those of `subprocess.Popen`.
    """
    command = [sys.executable, "-c", code_of(module), *map(str, arguments)]
    return subprocess.Popen(command, cwd=sources.ROOT, env=_environment(), **options)


@contextmanager
def quick() -> Iterator[Callable[..., Command]]:
    """Give a function that makes a command of a module's `main` or named function, each call in a process of its own.

    All of them are forks of one process, which ends with this context.
    """
    common: dict[str, Any] = {
        "cwd": sources.ROOT,
        "env": _environment(),
        "encoding": "utf-8",
    }
    if not hasattr(os, "fork"):

        def whole(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
            line = [sys.executable, "-c", code, *map(str, arguments)]
            return subprocess.run(line, capture_output=True, check=False, **common)

        yield lambda module, function="main": partial(whole, code_of(module, function))
        return
    command = [sys.executable, "-m", "tests.support.commands"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **common) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        ask, answers = server.stdin, server.stdout

        def run(module: str, function: str, *arguments: object) -> subprocess.CompletedProcess[str]:
            words = [str(argument) for argument in arguments]
            ask.write(f"{json.dumps([module, function, words])}\n")
            ask.flush()
            return subprocess.CompletedProcess(words, *json.loads(answers.readline()))

        yield lambda module, function="main": partial(run, module, function)  # the end of its stdin ends the process


def answer(main: Callable[[list[str]], int | None], arguments: list[str]) -> tuple[int, str, str]:
    """Run a command line in a fork of this process; return its exit code and what it wrote to stdout and stderr."""
    with TemporaryFile() as out, TemporaryFile() as err:
        child = os.fork()
        if not child:
            for stream, place in ((out.fileno(), 1), (err.fileno(), 2), (os.open(os.devnull, os.O_RDONLY), 0)):
                os.dup2(stream, place)
            os._exit(_code(main, arguments))
        _, status = os.waitpid(child, 0)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
        return os.waitstatus_to_exitcode(status), said[0], said[1]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def _code(main: Callable[[list[str]], int | None], arguments: list[str]) -> int:
    try:
        code: Any = main(arguments)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0


def _import_what_all_need() -> None:
    for heavy in HEAVY:
        importlib.import_module(heavy)
    importlib.import_module("standalone.host").mount()
    patches = importlib.import_module("hypernetwork_workbench.patches")
    for found in pkgutil.walk_packages(patches.__path__, f"{patches.__name__}."):
        importlib.import_module(found.name)
    gc.collect()
    gc.freeze()  # no fork need look at what all of them have


if __name__ == "__main__":
    _import_what_all_need()
    for line in sys.stdin:
        module, function, words = json.loads(line)
        called = getattr(importlib.import_module(module), function)
        sys.stdout.write(f"{json.dumps(answer(called, words))}\n")
        sys.stdout.flush()
