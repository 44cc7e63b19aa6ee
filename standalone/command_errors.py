"""Reports unexpected errors of a command in one sentence on stderr instead of a traceback."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
FAILED, USAGE_ERROR = 1, 2

GivenT = TypeVar("GivenT")


def with_error_report(main: Callable[[GivenT], int]) -> Callable[[GivenT], int]:
    """Wrap `main`, which takes a command line and returns an exit code, so that it reports unexpected errors with 1."""

    @functools.wraps(main)
    def run(argv: GivenT) -> int:
        try:
            return main(argv)
        except Exception as error:  # whatever it is, it becomes a sentence
            return _reported(error)

    return run


def _reported(error: Exception) -> int:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    # Only now, since the first start runs before anything is installed or mounted.
    errors: Any = importlib.import_module("hypernetwork_workbench.hypernetworks.base.unexpected_errors")
    try:
        with errors.report_unexpected(lambda: ROOT / "data" / "reports"):
            raise error
    except errors.WorkbenchError as sentence:
        sys.stderr.write(f"{sentence}\n")
    return FAILED
