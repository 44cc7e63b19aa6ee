"""Faults of files and folders, made by code: each module is a kind, with a function `cases`.

A case is a name and a function that makes the fault in an empty folder and tries it. The function returns the sentence
that the fault ended with, or None where what was faulty was made again; it raises where neither came of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """One fault: its name, and what makes and tries it in an empty folder."""

    name: str
    act: Callable[[Path], str | None]


class NotHandledError(AssertionError):
    """A fault was taken as if it were none."""


def kinds() -> dict[str, Callable[[], Iterator[Case]]]:
    """Return the function `cases` of each kind, by the name of its module."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {module.__name__.rpartition(".")[2]: module.cases for module in modules if hasattr(module, "cases")}
