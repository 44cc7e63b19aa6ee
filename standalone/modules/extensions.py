"""The extensions that are loaded. Here there is one, given by the program that starts the host."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import types
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("workbench.host")


class Extension(NamedTuple):
    """An extension's folder."""

    path: str


extensions: list[Extension] = []


def use(folders: list[str]) -> None:
    """Make these folders the extensions."""
    extensions[:] = [Extension(str(Path(folder).resolve())) for folder in folders]


def files(pattern: str) -> list[Path]:
    """Return the files of the extensions that match, such as `scripts/*.py`, by name within each extension."""
    return [path for extension in extensions for path in sorted(Path(extension.path).glob(pattern))]


def load_module(path: Path) -> types.ModuleType:
    """Run a file as a module of its own, outside `sys.modules`; raises what the file raises."""
    spec = importlib.util.spec_from_file_location(path.name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file", path=str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_hook(file: str, parser: argparse.ArgumentParser | None = None) -> None:
    """Run `install.py`, or `preload.py` and its preload(parser), of each extension; an error is logged."""
    for path in files(file):
        try:
            module = load_module(path)
            if parser is not None:
                module.preload(parser)
        except Exception:
            log.exception("Error running %s", path)
