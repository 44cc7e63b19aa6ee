"""Command lines that start quickly: each runs in a fork of one process that has imported what they all need."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
def quick(module: str, function: str) -> Iterator[Command]:
    """Give a command whose arguments are those of `module.function`, each call in a process of its own."""
    common: dict[str, Any] = {
        "cwd": sources.ROOT,
        "env": _environment(),
        "encoding": "utf-8",
    }
    if not hasattr(os, "fork"):
        code = code_of(module, function)
        yield lambda *arguments: subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, check=False, **common
        )
        return
    command = [sys.executable, "-m", "tests.support.commands", module, function]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **common) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        ask, answers = server.stdin, server.stdout

        def run(*arguments: object) -> subprocess.CompletedProcess[str]:
            words = [str(argument) for argument in arguments]
            ask.write(f"{json.dumps(words)}\n")
            ask.flush()
            return subprocess.CompletedProcess(words, *json.loads(answers.readline()))

        yield run  # the end of its stdin ends the process


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


if __name__ == "__main__":
    for heavy in HEAVY:
        importlib.import_module(heavy)
    called = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(answer(called, json.loads(line)))}\n")
        sys.stdout.flush()
