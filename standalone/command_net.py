"""The last net under a command: what nobody foresaw is one sentence on stderr, never a traceback alone."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
FAILED = 1

GivenT = TypeVar("GivenT")


def over_net(main: Callable[[GivenT], int]) -> Callable[[GivenT], int]:
    """Return `main`, which takes a command line and returns an exit code, with the net under it: it then returns 1."""

    @functools.wraps(main)
    def run(argv: GivenT) -> int:
        try:
            return main(argv)
        except Exception as error:  # the last net: whatever it is, it ends in a sentence
            return _told(error)

    return run


def _told(error: Exception) -> int:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    # Only now, since the first start runs before anything is installed or mounted.
    net: Any = importlib.import_module("hypernetwork_workbench.hypernetworks.base.last_net")
    try:
        with net.last_net(lambda: ROOT / "data" / "reports"):
            raise error
    except net.WorkbenchError as sentence:
        sys.stderr.write(f"{sentence}\n")
    return FAILED
