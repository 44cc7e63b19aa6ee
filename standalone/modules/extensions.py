"""The extensions that are loaded. Here there is one, given by the program that starts the host."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from modules import errors, script_loading


@dataclass
class Extension:
    """An extension's folder."""

    name: str
    path: str
    enabled: bool = True
    is_builtin: bool = False
    canonical_name: str = ""


extensions: list[Extension] = []


def use(folders: list[str]) -> None:
    """Makes these folders the extensions."""
    extensions[:] = [Extension(Path(f).name, str(Path(f).resolve()), canonical_name=Path(f).name) for f in folders]


def active() -> list[Extension]:
    """The enabled extensions."""
    return [extension for extension in extensions if extension.enabled]


def run_hook(file: str, parser: argparse.ArgumentParser | None = None) -> None:
    """Runs `install.py`, or `preload.py` and its preload(parser), of each extension; an error is logged."""
    for extension in active():
        path = Path(extension.path, file)
        if not path.is_file():
            continue
        try:
            module = script_loading.load_module(str(path))
            if parser is not None and hasattr(module, "preload"):
                module.preload(parser)
        except Exception:
            errors.report(f"Error running {path}", exc_info=True)
