"""Command lines in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from tests import sources
from tests.support import forks

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
    return subprocess.Popen(command, cwd=sources.ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, **options)


def quick(module: str, function: str = "main") -> Command:
    """Return a command of a module's `main` or named function, each call in a process of its own."""
    return partial(_run, code_of(module, function))


def _run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    with TemporaryFile() as out, TemporaryFile() as err:
        process = forks.start(code, *arguments, out=out, err=err)
        ended = process.wait()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    return subprocess.CompletedProcess([code, *map(str, arguments)], ended, *said)
