"""Runs a room's tests with a changed module, each time in a fork of a process that has collected them.

There the functions of the module get the changed code. What runs at import cannot be changed so: then the fork is one
of this process, which has nothing but the libraries loaded, and its import of the module gives the changed source. No
file is touched, and what the tests leave behind lies in a folder that goes with the fork.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import pytest

from . import in_place
from .forks import NO_ANSWER, end, go_into, in_child, wait
from .mutants import Mutant
from .reach import Reach, Watch

NOTICED, SURVIVED, TOO_SLOW = "noticed", "survived", "too slow"
HEAVY = ("torch", "numpy", "PIL.Image", "safetensors.torch", "hypothesis", "_pytest.pytester")
_PASSED = 0
_AT_IMPORT = "at import"
_MOST_TO_END_S = 5
_NO_RESULT = "No test passes without a change; run them with pytest to see why."


class ChildError(Exception):
    """A child ended without an answer."""


class Trial(NamedTuple):
    """A change, the ids of the tests to run in their order, and the time they may take: of a processor, and in all."""

    mutant: Mutant
    names: Sequence[str]
    limit_s: float
    wall_s: float


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
    """The tests of one room, collected in a process that ends with the context.

    Args:
        root: the project's folder.
        paths: the files and folders of the tests.
        sources: the folder of the room's code.
    """

    def __init__(self, root: Path, paths: Sequence[Path], sources: Path) -> None:
        self.root = root
        self.paths = paths
        for name in HEAVY:
            importlib.import_module(name)
        self._folder = tempfile.TemporaryDirectory(prefix="mutations-", ignore_cleanup_errors=True)
        self._collected, theirs = Pipe()
        self._child = os.fork()
        if self._child == 0:
            self._collect(theirs, sources)
        theirs.close()
        self._reach = Reach()

    def __enter__(self) -> Tests:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._child, signal.SIGTERM)
        wait(self._child, _MOST_TO_END_S)
        end(self._child)
        self._folder.cleanup()

    def reach(self, limit_s: float) -> Reach:
        """Run all tests without a change; import the libraries that they need, so that no child need.

        Raises ChildError where they end without a result, or not within the time.
        """
        found = self._ask(limit_s)
        if found == NO_ANSWER:
            raise ChildError(f"The tests without a change take more than {limit_s:.0f} s; name some with --tests.")
        if not isinstance(found, Reach) or not found.seconds:
            raise ChildError(_NO_RESULT)
        for name in found.libraries:
            importlib.import_module(name)
        self._reach = found
        return found

    def outcome(self, trial: Trial) -> str:
        """Return whether the named tests notice a change: NOTICED, SURVIVED or TOO_SLOW."""
        mutant = trial.mutant
        is_at_import = self._reach.is_at_import(mutant.path, mutant.line)
        code = _AT_IMPORT if is_at_import else self._ask(trial)
        if code == _AT_IMPORT:
            code = in_child(lambda: self._anew(trial), trial.limit_s, trial.wall_s)
        return TOO_SLOW if code == NO_ANSWER else SURVIVED if code == _PASSED else NOTICED

    def _anew(self, trial: Trial) -> int:
        sys.meta_path.insert(0, Importer(trial.mutant))
        files = dict.fromkeys(name.partition("::")[0] for name in trial.names)
        return self._pytest(["-x", *(str(self.root / file) for file in files)], _Chosen(trial.names))

    def _ask(self, question: object) -> Any:
        try:
            self._collected.send(question)
            return self._collected.recv()
        except (EOFError, ConnectionError) as error:
            raise ChildError(_NO_RESULT) from error

    def _collect(self, asker: Connection, sources: Path) -> None:
        """Collect the tests and answer until the process is ended."""
        try:
            go_into(Path(self._folder.name))
            self._collected.close()  # so that the end of the other process ends this one
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which ends the fork of a trial too
            watch = Watch(sources)
            self._pytest([str(path) for path in self.paths], watch, _Collected(asker, watch))
        finally:
            os._exit(0)

    def _pytest(self, arguments: list[str], *plugins: object) -> int:
        """Run pytest away from the project's folder, where a changed path cannot hurt, without what writes there."""
        options = [
            "-s",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow and not long",
            "--basetemp",
            str(Path.cwd() / "tests"),
        ]
        options += ["--rootdir", str(self.root), "-c", str(self.root / "pyproject.toml")]
        options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
        sys.path.insert(0, str(self.root))
        return int(pytest.main([*options, *arguments], [*plugins]))


class _Chosen:
    """A plugin of pytest that leaves the named tests, in their order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.order = {name: place for place, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the named tests."""
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda item: self.order[item.nodeid])


class _Collected:
    """A plugin of pytest that runs no test, but answers with what tests give in a fork."""

    def __init__(self, asker: Connection, watch: Watch) -> None:
        self.asker = asker
        self.watch = watch

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Answer to a time with the reach of all tests, and then to trials with the exit status of pytest."""
        if session.testsfailed:
            return None  # some cannot be collected
        limit_s = self.asker.recv()
        self.asker.send(in_child(lambda: self._reach(session), limit_s, limit_s))
        self.watch.stop()
        session.config.pluginmanager.unregister(self.watch)
        functions = in_place.loaded()
        gc.freeze()
        while True:
            trial = self.asker.recv()
            self.asker.send(in_child(partial(_tried, trial, session, functions), trial.limit_s, trial.wall_s))

    def _reach(self, session: pytest.Session) -> Reach:
        _run(session.items, session)
        return self.watch.gather()


def _tried(trial: Trial, session: pytest.Session, functions: in_place.Functions) -> str | int:
    if not in_place.change(trial.mutant, functions):
        return _AT_IMPORT
    sys.meta_path.insert(0, Importer(trial.mutant))
    items = {item.nodeid: item for item in session.items}
    _run([items[name] for name in trial.names], session, until_failed=True)
    return session.testsfailed


def _run(items: Sequence[pytest.Item], session: pytest.Session, until_failed: bool = False) -> None:
    for item, following in zip(items, [*items[1:], None], strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if until_failed and session.testsfailed:
            return
