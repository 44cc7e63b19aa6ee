"""When the process is told to end, the active run saves first; then the host's own handlers do what they always did."""

from __future__ import annotations

import atexit
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from . import training

_log = logging.getLogger(__name__)
#: Ctrl-C; what a service manager or a container sends; and the closed console window of Windows.
_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK")


class StopSignals:
    """Handlers in front of the host's, and a function for the end of the interpreter."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._before: dict[int, Any] = {}
        self._is_on = False

    def install(self) -> None:
        """Put ours in front of the present handlers, once; ignored signals stay ignored."""
        if not self._is_on:
            atexit.register(self._end)
        self._is_on = True
        if threading.current_thread() is not threading.main_thread():
            return  # Python lets no other thread add handlers; those that only passed signals on save again
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            present = signal.getsignal(number)
            if number in self._before or present in (signal.SIG_IGN, None):
                continue
            self._before[number] = present
            signal.signal(number, self._handle)

    def uninstall(self) -> None:
        """Give the handlers back; where another one came in front of ours, ours only passes the signal on."""
        atexit.unregister(self._end)
        self._is_on = False
        if threading.current_thread() is not threading.main_thread():
            return
        for number, before in list(self._before.items()):
            if signal.getsignal(number) == self._handle:
                signal.signal(number, before)
                del self._before[number]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_on:
            self._is_on = False  # a second signal does not wait
            try:
                _log.info("Told to end; a training that is going on saves first.")
                self._end()
            finally:
                self._is_on = True
                self._pass_on(number, frame)
        else:
            self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if callable(before):
            before(number, frame)
        else:  # the system's own way to end the process
            signal.signal(number, before)
            signal.raise_signal(number)


stop_signals = StopSignals(training.end)
