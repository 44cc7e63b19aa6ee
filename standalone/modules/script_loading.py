"""Runs a script file as a module of its own, outside `sys.modules`."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path

loaded_scripts: dict[str, types.ModuleType] = {}


def load_module(path: str) -> types.ModuleType:
    """Runs a file and returns the module; raises what the file raises."""
    spec = importlib.util.spec_from_file_location(Path(path).name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file", path=path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded_scripts[path] = module
    return module
