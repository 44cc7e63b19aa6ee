"""One run of a room's tests without any change: which of them pass, how long they take, which lines each one runs."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from types import ModuleType

import coverage
import pytest

MOST_S = 20  # of processor time of tests, nearest first, for one change
_IMPORTED = ""  # the context of what ran outside of any test


@dataclass
class Reach:
    """What the tests of a room do.

    Attributes:
        seconds: the processor time of each test that passes, that of its programs included, by its id.
        failed: the ids of those that fail, and are of no use.
        tests: the ids of the tests that run a line, by file and number of the line; `""` where importing it does.
        libraries: the modules of libraries that were imported on the way.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    tests: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)

    def of(self, path: Path, line: int) -> list[str]:
        """Return the ids of the tests that could notice a change of a line, the most promising first.

        What runs at import counts for every test, and most for those that run a line with a name that it gives. Files
        that are quick come first, and before them one named after the module; the tests of a file stay in order, for
        they share what is slow to make. Together they take `MOST_S` at most.
        """
        lines = self.tests.get(str(path), {})
        reaching = self._reaching(path, line)
        names = set(self.seconds) if _IMPORTED in reaching else reaching & set(self.seconds)
        touching = set().union(*lines.values()) & names
        total: dict[str, float] = {}
        for name in names:
            total[_file(name)] = total.get(_file(name), 0) + self.seconds[name]
        near = {_file(name) for name in touching}
        order = sorted(total, key=lambda file: (Path(file).stem != f"test_{path.stem}", file not in near, total[file]))
        using = set().union(*(self._reaching(path, number) for number in _using(path, line)))
        found = [name for file in order for name in self.seconds if name in names and _file(name) == file]
        if _IMPORTED in reaching:
            found.sort(key=lambda name: name not in using)
        ends = accumulate(self.seconds[name] for name in found)
        return [name for name, end in zip(found, ends, strict=True) if end <= MOST_S]

    def is_at_import(self, path: Path, line: int) -> bool:
        """Tell whether a line runs when the code or the tests are imported."""
        return _IMPORTED in self._reaching(path, line)

    def _reaching(self, path: Path, line: int) -> set[str]:
        lines = self.tests.get(str(path), {})
        return set().union(*(lines.get(number, set()) for number in _statement(path, line)))


def _file(test: str) -> str:
    return test.partition("::")[0]


def _statement(path: Path, line: int) -> Iterable[int]:
    """Return the lines of the smallest statement around a line; of one with a body, those above the body."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            body = getattr(node, "body", None)
            first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            if first <= line <= last:
                found = range(first, last + 1)
    return found


def _using(path: Path, line: int) -> set[int]:
    """Return the lines of a module that use a name to which the statement at a line gives a value."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    given = [
        part.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno <= line <= (node.end_lineno or line)
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    return {
        node.lineno
        for node in names
        if isinstance(node.ctx, ast.Load) and (node.id if isinstance(node, ast.Name) else node.attr) in given
    }


class Watch:
    """A plugin of pytest that fills a `Reach`; it begins when it is made, so before the first import of the code."""

    def __init__(self, sources: Path) -> None:
        self.reach = Reach()
        self._useless: set[str] = set()
        self._coverage = coverage.Coverage(data_file=None, include=[f"{sources}/*"], config_file=False)
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note lines and time for one test."""
        self._coverage.switch_context(item.nodeid)
        start = _used_s()
        result = yield
        self.reach.seconds[item.nodeid] = _used_s() - start
        self._coverage.switch_context(_IMPORTED)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that fails or is skipped."""
        if report.failed:
            self.reach.failed.add(report.nodeid)
        if not report.passed:
            self._useless.add(report.nodeid)

    def stop(self) -> None:
        """Watch no longer."""
        self._coverage.stop()

    def gather(self) -> Reach:
        """Return what was noted, and watch no longer."""
        self.stop()
        data = self._coverage.get_data()
        for file in data.measured_files():
            lines = data.contexts_by_lineno(file)
            self.reach.tests[file] = {line: set(contexts) for line, contexts in lines.items()}
        for name in self._useless:
            self.reach.seconds.pop(name, None)
        self.reach.libraries = [name for name, module in sys.modules.items() if _is_library(module)]
        return self.reach


def _used_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _is_library(module: ModuleType) -> bool:
    """Tell whether a module is of a library or of Python, and neither the project's nor made by a test."""
    spec = getattr(module, "__spec__", None)
    folders = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
    return spec is not None and spec.origin is not None and spec.origin.startswith(folders)
