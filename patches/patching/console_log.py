"""What our log tells stands in the console, also where the host has set up no log: Python shows warnings alone then."""

from __future__ import annotations

import logging

_OURS = __name__.partition(".")[0]


class _Console(logging.StreamHandler):
    """Prints where nobody else does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless a handler of the host or of another extension has it."""
        if not logging.root.handlers:
            super().emit(record)


class ConsoleLog:
    """A handler of our own log."""

    def __init__(self) -> None:
        self._handler: logging.Handler | None = None
        self._was_needed = False

    def install(self) -> None:
        """Add the handler, once; a log that the host or somebody else has set up stays as it is."""
        log = logging.getLogger(_OURS)
        # Once the host had no log, a root handler is that of somebody's `logging.warning()`, which sets one up unasked.
        if log.handlers or (logging.root.handlers and not self._was_needed):
            return
        self._was_needed = True
        self._handler = _Console()
        log.addHandler(self._handler)
        log.setLevel(logging.INFO)

    def uninstall(self) -> None:
        """Take the handler away again."""
        if self._handler is None:
            return
        log = logging.getLogger(_OURS)
        log.removeHandler(self._handler)
        log.setLevel(logging.NOTSET)
        self._handler = None


console_log = ConsoleLog()
