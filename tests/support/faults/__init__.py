"""Faults of files and folders, made by code: each module is a kind, with a function `cases`.

A case is a name and a function that makes the fault in an empty folder and tries it. The function returns the sentence
that the fault ended with, or None where what was faulty was made again; it raises where neither came of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypernetwork_workbench.hypernetworks.base.errors import WorkbenchError


def _folder(folder: Path) -> Path:
    return folder


class Case(NamedTuple):
    """One fault: its name, and what tries it.

    Attributes:
        act: takes what `make` returned.
        make: makes what takes long to make in an empty folder, and returns where it is; without it the folder itself.
    """

    name: str
    act: Callable[[Path], str | None]
    make: Callable[[Path], Path] = _folder


class NotHandledError(AssertionError):
    """A fault was taken as if it were none."""


class Outcome(NamedTuple):
    """What became of a case: why it was not handled, empty where it was, and the seconds it took."""

    problem: str
    seconds: float


#: No case may take longer, without the making.
MOST_SECONDS = 5.0


def outcome(case: Case) -> Outcome:
    """Try a case in a folder of its own. Handled is an error of ours, a sentence, or what was made again in time."""
    problem = ""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = case.make(Path(folder))
        started = _clock()
        try:
            case.act(place)
        except WorkbenchError:
            pass  # a sentence of its own
        except Exception as error:
            problem = f"{type(error).__name__}: {str(error)[:300]}"
        seconds = time.thread_time() - started
    if not problem and seconds > MOST_SECONDS:
        problem = f"it took {seconds:.1f} s"
    return Outcome(problem, seconds)


def _clock() -> float:
    """Return the processor time, read after the import that the first optimizer of a process makes: 3 s of torch's."""
    importlib.import_module("torch._dynamo")
    return time.thread_time()


def said(case: Case, folder: Path) -> str | None:
    """Try a case in an empty folder and return its sentence; raises what it raises, and NotHandledError if slow."""
    place = case.make(folder)
    started = _clock()
    sentence = case.act(place)
    seconds = time.thread_time() - started
    if seconds > MOST_SECONDS:
        raise NotHandledError(f"it took {seconds:.1f} s")
    return sentence


def kinds() -> dict[str, Callable[[], Iterator[Case]]]:
    """Return the function `cases` of each kind, by the name of its module."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {module.__name__.rpartition(".")[2]: module.cases for module in modules if hasattr(module, "cases")}
