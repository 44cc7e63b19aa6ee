"""The recipes of docs/CONTRIBUTING.md: the files they name, and their examples put into a copy of the project."""

from __future__ import annotations

import ast
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests import sources

PAGE = sources.ROOT / "docs" / "CONTRIBUTING.md"
_EXAMPLE = re.compile(r"```python\n# ([\w/.]+)(?:: (\w+))?\n(.*?)```", re.DOTALL)
_COPIED = (
    "hypernetworks",
    "patches",
    "scripts",
    "standalone",
    "localizations",
    "hypernetwork_workbench.py",
    "pyproject.toml",
)


@dataclass(frozen=True)
class Example:
    """Code of a recipe.

    Attributes:
        file: the file it stands in.
        owner: the class whose fields it joins, or the table; empty where the code is the whole file.
    """

    file: str
    owner: str
    code: str


def recipes() -> dict[str, str]:
    """Return the text of each recipe by its title."""
    page = PAGE.read_text(encoding="utf-8").partition("\n## Recipes\n")[2]
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def files(recipe: str) -> list[tuple[str, bool]]:
    """Return the files that the table of a recipe names, each with whether it is a new one."""
    rows = [line.strip("|").split("|", 1) for line in recipe.splitlines() if line.startswith("|")][2:]
    first = [(name, "*new*" in what) for names, what in rows for name in re.findall(r"`([\w/.]+)`", names)]
    return first + [(name, False) for _, what in rows for name in re.findall(r"`(\w+/[\w/.]+\.\w+)`", what)]


def examples() -> list[Example]:
    """Return all examples."""
    return [Example(*found) for found in _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))]


def cook(place: Path) -> None:
    """Copy the project to `place`, with every example in it."""
    for name in _COPIED:
        source = sources.ROOT / name
        copy = shutil.copy if source.is_file() else shutil.copytree
        copy(source, place / name, **({} if source.is_file() else {"ignore": shutil.ignore_patterns("__pycache__")}))
    for example in examples():
        path = place / example.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(_with(path, example), encoding="utf-8")


def _with(path: Path, example: Example) -> str:
    if not example.owner:
        assert not path.exists(), f"{example.file} is there already"
        return example.code
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    end = _last_line(ast.parse("".join(lines)), example.owner)
    assert end, f"{example.file} has no class and no table {example.owner}"
    return "".join([*lines[:end], example.code, *lines[end:]])


def _last_line(tree: ast.Module, owner: str) -> int | None:
    """Return the last line of the fields of a class, or of the members of a table."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == owner:
            return max(field.end_lineno for field in node.body if isinstance(field, ast.AnnAssign))
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        if isinstance(target, ast.Name) and target.id == owner:
            table = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
            return (table.values if isinstance(table, ast.Dict) else table.elts)[-1].end_lineno
    return None
