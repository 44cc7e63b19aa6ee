"""Reports what went wrong in one extension or one request without stopping the program."""

from __future__ import annotations

import logging

log = logging.getLogger("workbench.host")


def report(message: str, *, exc_info: bool = False) -> None:
    """Logs a message, with the current exception's trace if asked."""
    log.error(message, exc_info=exc_info)


def display(error: BaseException, task: str, *, full_traceback: bool = False) -> None:
    """Logs that an exception ended a task."""
    log.error("%s: %s: %s", task or "error", type(error).__name__, error, exc_info=error)


_shown: set[str] = set()


def display_once(error: BaseException, task: str) -> None:
    """Logs that an exception ended a task, the first time only."""
    if task not in _shown:
        _shown.add(task)
        display(error, task)
