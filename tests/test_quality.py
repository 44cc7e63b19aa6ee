"""The tools and the house rules: lint, format, types, sizes, habits."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sources
from tests.support.mount import mounted

FILE_LINES = 300
FUNCTION_LINES = 60
PARAMETERS = 6
ROOM_MODULES = 20
FORMATTER_MARK = re.compile(r"#\s*(fmt|yapf):")


def _tool(*arguments: str, **environment: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=sources.ROOT,
        env=os.environ | environment,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


def test_ruff_check():
    _tool("ruff", "check", "--no-cache", ".")


def test_ruff_format():
    _tool("ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.slow
def test_mypy(tmp_path: Path):
    mount = mounted(tmp_path)
    host = sources.ROOT / "standalone"
    packages = [
        "hypernetwork_workbench.hypernetworks",
        "hypernetwork_workbench.adapters",
        "hypernetwork_workbench.library",
        "hypernetwork_workbench.patches",
        "modules",
        "standalone.mutations",
    ]
    single = [f"standalone.{path.stem}" for path in sorted(host.glob("*.py")) if path.stem != "__init__"]
    arguments = [word for name in packages for word in ("-p", name)] + [
        word for name in single for word in ("-m", name)
    ]
    search = os.pathsep.join(map(str, (mount, host, sources.ROOT)))
    options = ["--explicit-package-bases", "--cache-dir", str(sources.ROOT / ".mypy_cache")]
    _tool("mypy", *options, *arguments, MYPYPATH=search)
    loose = [*(sources.ROOT / "scripts").glob("*.py"), *(sources.ROOT / "examples").rglob("*.py")]
    if loose:
        files = [str(path.relative_to(sources.ROOT)) for path in sorted(loose)]
        _tool("mypy", *options, *files, "launch.py", "install.py", "setup.py", MYPYPATH=search)


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(sources.tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _where(path: Path, node: ast.stmt | ast.ExceptHandler) -> str:
    return f"{path.relative_to(sources.ROOT)}:{node.lineno}"


def test_there_is_something_to_measure():
    functions = [function for path in sources.paths() for function in _functions(path)]
    assert len(functions) > 100
    assert max(map(_parameters, functions)) > 2


def test_files_are_short():
    lines = {
        path.relative_to(sources.ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in sources.paths()
    }
    assert {path: count for path, count in lines.items() if count > FILE_LINES} == {}


def test_ruff_lays_out_every_line():
    everything = [*sources.paths(), *(sources.ROOT / "tests").rglob("*.py")]
    marked = [
        f"{path.relative_to(sources.ROOT)}:{comment.start[0]}"
        for path in everything
        for comment in sources.comments(path)
        if FORMATTER_MARK.search(comment.string)
    ]
    assert marked == []


def test_rooms_are_small():
    rooms = Counter(path.parent.relative_to(sources.ROOT) for path in sources.paths() if path.stem != "__init__")
    del rooms[Path("standalone/modules")]  # the names there are the host's
    assert {room: count for room, count in rooms.items() if count > ROOM_MODULES} == {}


def test_functions_are_short():
    long = [
        f"{_where(path, function)} {function.name}: {length} lines"
        for path in sources.paths()
        for function in _functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert long == []


def test_functions_take_few_parameters():
    many = [
        f"{_where(path, function)} {function.name}: {_parameters(function)} parameters"
        for path in sources.paths()
        for function in _functions(path)
        if _parameters(function) > PARAMETERS
    ]
    assert many == []


def test_no_bare_except_and_no_star_import():
    wrong = [
        _where(path, node)
        for path in sources.paths()
        for node in ast.walk(sources.tree(path))
        if (isinstance(node, ast.ExceptHandler) and node.type is None)
        or (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
    ]
    assert wrong == []


def _docstrings(path: Path) -> set[int]:
    """Return the ids of the nodes of all docstrings."""
    bodies = [getattr(node, "body", None) for node in ast.walk(sources.tree(path))]
    first = [body[0] for body in bodies if isinstance(body, list) and body]
    return {id(node.value) for node in first if isinstance(node, ast.Expr)}


def test_html_stands_in_templates_alone():
    tag = re.compile(r"(?<!\?P)</?[a-zA-Z][a-zA-Z0-9-]*(\s[^<>]*)?/?>|</?[a-z]+[0-9]?\s[a-z-]+=")
    wrong = []
    for path in sources.paths():
        if path.parts[len(sources.ROOT.parts)] in ("hypernetworks", "adapters", "patches", "scripts"):
            docstrings = _docstrings(path)
            texts = (node for node in ast.walk(sources.tree(path)) if isinstance(node, ast.Constant))
            wrong += [
                _where(path, node) for node in texts if id(node) not in docstrings and tag.search(str(node.value))
            ]
    assert wrong == []


def test_nothing_is_patched_by_an_import():
    """An assignment to an attribute of an imported module, at module level, is a patch that nothing undoes."""
    wrong = []
    for path in sources.paths():
        if path.is_relative_to(sources.ROOT / "standalone"):
            continue
        body = sources.tree(path).body
        aliases = [alias for node in body if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
        names = {alias.asname or alias.name.split(".")[0] for alias in aliases}
        for node in body:
            for target in getattr(node, "targets", []):
                root = target
                while isinstance(root, ast.Attribute):
                    root = root.value
                if root is not target and isinstance(root, ast.Name) and root.id in names:
                    wrong.append(_where(path, node))
    assert wrong == []


def test_public_functions_and_classes_say_what_they_are():
    silent = [
        f"{_where(path, node)} {node.name}"
        for path in sources.paths()
        if path.parts[len(sources.ROOT.parts)] in ("hypernetworks", "adapters", "patches")
        for node in sources.tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []
