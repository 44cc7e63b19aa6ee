"""Runs tests in a child of this process, which has the libraries loaded already, with a changed module if asked for.

Only the child sees the change: its import of the module gives the changed source. No file is touched, and what the
tests leave behind lies in a folder that goes with the child.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import math
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from .mutants import Mutant
from .reach import Reach, Watch

NOTICED, SURVIVED, TOO_SLOW = "noticed", "survived", "too slow"
ANSWER = "answer"
HEAVY = ("torch", "numpy", "PIL.Image", "safetensors.torch", "hypothesis", "_pytest.pytester")
MOST_MEMORY_BYTES = 12 << 30  # a changed size may ask for any amount
_PASSED, _FAILED = 0, 1


class ChildError(Exception):
    """A child ended without an answer."""


class Importer(importlib.abc.MetaPathFinder):
    """Gives the changed source to whoever imports the file, under any name."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        """Return the specification of the changed module, None for all others."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin != str(self.mutant.path):
            return None
        source = self.mutant.source

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return compile(source, self.path, "exec")

        spec.loader = Loader(name, spec.origin)
        return spec


class Tests:
    """The tests of one room.

    Args:
        root: the project's folder.
        paths: the files and folders of the tests.
        sources: the folder of the room's code.
    """

    def __init__(self, root: Path, paths: Sequence[Path], sources: Path) -> None:
        self.root = root
        self.paths = paths
        self.sources = sources
        for name in HEAVY:
            importlib.import_module(name)

    def reach(self, limit_s: float) -> Reach:
        """Run all tests without a change; import the libraries that they need, so that no child need.

        Raises ChildError where they end without a result, or not within the time.
        """

        def run() -> Reach:
            watch = Watch(self.sources)
            self._pytest([str(path) for path in self.paths], watch)
            return watch.reach

        found = _in_child(run, limit_s, limit_s)
        if found is _NO_ANSWER:
            raise ChildError(f"The tests without a change take more than {limit_s:.0f} s; name some with --tests.")
        if not isinstance(found, Reach) or not found.seconds:
            raise ChildError("No test passes without a change; run them with pytest to see why.")
        for name in found.libraries:
            importlib.import_module(name)
        return found

    def outcome(self, mutant: Mutant, names: Sequence[str], limit_s: float, wall_s: float) -> str:
        """Return whether the named tests notice a change: NOTICED, SURVIVED or TOO_SLOW.

        Args:
            mutant: the change.
            names: ids of tests, in the order in which they are to run.
            limit_s: processor time that they may take.
            wall_s: time that they may take, waiting included.
        """

        def run() -> int:
            sys.meta_path.insert(0, Importer(mutant))
            files = dict.fromkeys(name.partition("::")[0] for name in names)
            return self._pytest(["-x", *(str(self.root / file) for file in files)], _Chosen(names))

        code = _in_child(run, limit_s, wall_s)
        return TOO_SLOW if code is _NO_ANSWER else SURVIVED if code == _PASSED else NOTICED

    def _pytest(self, arguments: list[str], plugin: object) -> int:
        """Run pytest away from the project's folder, where a changed path cannot hurt, without what writes there."""
        options = ["-p", "no:cacheprovider", "-m", "not slow", "--basetemp", str(Path.cwd() / "tests")]
        options += ["--rootdir", str(self.root), "-c", str(self.root / "pyproject.toml")]
        options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
        sys.path.insert(0, str(self.root))
        return int(pytest.main([*options, *arguments], [plugin]))


class _Chosen:
    """A plugin of pytest that leaves the named tests, in their order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.order = {name: place for place, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the named tests."""
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda item: self.order[item.nodeid])


_NO_ANSWER = object()


def _in_child(run: Callable[[], Any], limit_s: float, wall_s: float) -> Any:
    """Return what `run` gives in a child in a folder of its own; _NO_ANSWER where it takes too long.

    A child that dies of something else, such as too little memory, gives a failure of the tests.
    """
    with tempfile.TemporaryDirectory(prefix="mutations-", ignore_cleanup_errors=True) as folder:
        answer = Path(folder) / ANSWER
        child = os.fork()
        if child == 0:
            _be_child(run, Path(folder), math.ceil(limit_s))
        try:
            died_of = _wait(child, wall_s)
        finally:
            _end(child)
        if died_of == signal.SIGXCPU:
            return _NO_ANSWER
        return pickle.loads(answer.read_bytes()) if answer.exists() else _FAILED


def _wait(child: int, limit_s: float) -> int:
    """Return the signal that a child died of, 0 where it ended by itself; SIGXCPU too where it does not end."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        status = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is not None:
            return 0 if status.si_code == os.CLD_EXITED else status.si_status
        time.sleep(0.02)
    return signal.SIGXCPU


def _end(child: int) -> None:
    """Kill the child and what it has started."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # before it made its group
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _be_child(run: Callable[[], Any], folder: Path, limit_s: int) -> None:
    """Write the answer and end, whatever happens, without the parent's clean-up."""
    import resource  # noqa: PLC0415 - not on Windows

    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        used_s = math.ceil(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + limit_s, used_s + limit_s + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
        with (folder / "said").open("wb") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        part = folder / f"{ANSWER}.part"
        part.write_bytes(pickle.dumps(run()))
        part.rename(folder / ANSWER)
    finally:
        os._exit(0)
