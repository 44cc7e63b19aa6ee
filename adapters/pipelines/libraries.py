"""diffusers and transformers, which are loaded when they are needed, and quietly."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
from typing import Any

from ...hypernetworks.base.errors import AdapterError

_UNASKED = "bitsandbytes.backends.cpu.ops"
"""What diffusers loads where it is installed; on processors with bf16 it warns of a kernel that nothing here needs."""


def library(name: str) -> Any:
    """Return `diffusers`, `transformers` or a module in one of them.

    Raises:
        AdapterError: it is not installed, or does not fit what else is.
    """
    logging.getLogger(_UNASKED).setLevel(logging.ERROR)
    try:
        found = importlib.import_module(name)
        importlib.import_module(f"{name.partition('.')[0]}.utils.logging").set_verbosity_error()
    except ModuleNotFoundError as error:
        raise AdapterError(
            f'{error.name} is not installed: run "{sys.executable}" -m pip install "diffusers>=0.35" {_transformers()}'
        ) from error
    except (ImportError, RuntimeError) as error:
        raise AdapterError(f"{name} does not load: {error}") from error
    return found


def _transformers() -> str:
    """Return what to install with diffusers: the version that is there, as newer ones break the embedded host."""
    try:
        return f"transformers=={importlib.metadata.version('transformers')}"
    except importlib.metadata.PackageNotFoundError:
        return "transformers"


def kind(module: str, name: str) -> Any:
    """Return a class of one of the two; raises AdapterError as `library` does, or where that is too old for it."""
    found = getattr(library(module), name, None)
    if found is None:
        raise AdapterError(f"this version of {module} has no {name}: pip install --upgrade {module}")
    return found
