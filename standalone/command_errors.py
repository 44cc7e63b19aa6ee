"""Reports unexpected errors of a command in one sentence on stderr instead of a traceback."""

from __future__ import annotations

import functools
import importlib
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
FAILED, USAGE_ERROR = 1, 2
#: What a shell gives for a program that ended because nobody reads on: 128 + SIGPIPE.
UNREAD = 141

GivenT = TypeVar("GivenT")


def with_error_report(main: Callable[[GivenT], int]) -> Callable[[GivenT], int]:
    """Wrap `main`, which takes a command line and returns an exit code, so that it reports unexpected errors with 1.

    A reader such as `head` that has read enough is no error: it ends quietly with `UNREAD` then.
    """

    @functools.wraps(main)
    def run(argv: GivenT) -> int:
        try:
            return _all_written(main, argv)
        except Exception as error:  # whatever it is, it becomes a sentence
            return UNREAD if isinstance(error, BrokenPipeError) and _is_unread() else _reported(error)

    return run


def _all_written(main: Callable[[GivenT], int], argv: GivenT) -> int:
    """Run `main` and write out what it printed, as a closed pipe could no longer be told at the interpreter's end."""
    try:
        code = main(argv)
    except SystemExit:  # as argparse ends after its help
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _is_unread() -> bool:
    """Tell whether nobody reads what is printed; what is left of it then goes nowhere."""
    try:
        output = sys.stdout.fileno()
    except OSError:  # no file, as in a page or a test
        return False
    if hasattr(select, "poll"):  # not on Windows
        standing = select.poll()
        standing.register(output, select.POLLOUT)
        if not any(event & (select.POLLERR | select.POLLHUP) for _, event in standing.poll(0)):
            return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


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
