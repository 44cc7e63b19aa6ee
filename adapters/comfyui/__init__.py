"""Nodes for ComfyUI. Link this folder into `custom_nodes`, or copy it there where the package is installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

_PACKAGE = "hypernetwork_workbench"


def _mount(folder: Path) -> None:
    """Make the package importable: that of the checkout which this folder is in, else the installed one.

    ComfyUI imports this folder under the name of its path, so that nothing above it can be named relative to it.
    """
    mount = folder.parents[1] / f"{_PACKAGE}.py"
    if _PACKAGE in sys.modules:
        return
    if mount.is_file():
        spec = importlib.util.spec_from_file_location(_PACKAGE, mount)
        assert spec
        assert spec.loader
        sys.modules[_PACKAGE] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif importlib.util.find_spec(_PACKAGE) is None:
        raise ImportError(
            f"{_PACKAGE} is not there: link this folder from its checkout instead of copying it, or run "
            "`pip install .` in the checkout with ComfyUI's Python"
        )


_mount(Path(__file__).resolve().parent)
_nodes = importlib.import_module(f"{_PACKAGE}.adapters.comfyui.nodes")
NODE_CLASS_MAPPINGS = _nodes.NODE_CLASS_MAPPINGS
NODE_DISPLAY_NAME_MAPPINGS = _nodes.NODE_DISPLAY_NAME_MAPPINGS
#: The folder of scripts that ComfyUI's page loads, relative to this one.
WEB_DIRECTORY = "./web"
