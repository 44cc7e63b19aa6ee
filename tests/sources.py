"""The project's own source files, parsed, for the tests that read them."""

from __future__ import annotations

import ast
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("hypernetworks", "adapters", "library", "patches", "scripts", "standalone", "examples", "benchmarks")
TOP = ("hypernetwork_workbench.py", "install.py", "launch.py", "preload.py", "setup.py")


def paths() -> list[Path]:
    """Every Python file of the project but its tests."""
    found = [ROOT / name for name in TOP if (ROOT / name).exists()]
    return found + sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def comments(path: Path) -> list[tokenize.TokenInfo]:
    """Return the comments of a file."""
    with tokenize.open(path) as file:
        return [token for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.COMMENT]


def imports(path: Path) -> list[tuple[str, int]]:
    """Absolute names that a file imports anywhere in it, each with its line."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append((node.module or "", node.lineno))
    return found
