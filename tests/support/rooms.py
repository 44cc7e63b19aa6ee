"""Files that are put into a room of the package for one test."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from hypernetwork_workbench.hypernetworks.base.registry import Registry

from tests import sources

PACKAGE = "hypernetwork_workbench.hypernetworks"


def keep(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the registry back the members it has now at the end of the test."""
    list(registry)
    monkeypatch.setattr(registry, "_members", dict(registry._members))
    monkeypatch.setattr(registry, "_orders", dict(registry._orders))


def put_in(room: str, source: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a file of this source as a module of the room, whose other modules are there already."""
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"{room}.{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def answer(files: Mapping[str, str], code: str, folder: Path) -> str:
    """Run `code` with a copy of the package that has more files, in a process of its own; gives its last line.

    Args:
        files: the source of each, by its path below the repository.
    """
    for name in ("hypernetworks", "patches"):
        shutil.copytree(sources.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(sources.ROOT / "hypernetwork_workbench.py", folder)
    for file, source in files.items():
        (folder / file).write_text(source, encoding="utf-8")
    # The tests' own modules come from here, and take the package from there.
    search = os.pathsep.join((str(folder), str(sources.ROOT)))
    environment = os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]
