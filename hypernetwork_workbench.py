"""Mounts this folder as the package `hypernetwork_workbench`, so that no generic name enters `sys.modules`.

Programs that run in this folder find this file before an installed package; both have the names of `library/`.
"""

import importlib.util
from pathlib import Path
from typing import Any

__version__ = "0.1.0"
__path__ = [str(Path(__file__).resolve().parent)]


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}") is None:
        library = importlib.import_module(f"{__name__}.library")
        if name in library.__all__:
            return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
