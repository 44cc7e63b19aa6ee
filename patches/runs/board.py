"""TensorBoard on the log of a run, in a process of its own that only this machine reaches."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ...hypernetworks.base.errors import WorkbenchError
from ...hypernetworks.train.records import RunRecord

HOST = "127.0.0.1"
_CHILD = Path(__file__).with_name("tensorboard_child.py")
_PATIENCE_S = 60.0
_POLL_S = 0.2


class BoardError(WorkbenchError):
    """TensorBoard cannot be started, or has nothing to show."""


@dataclass(frozen=True)
class _Running:
    folder: Path
    address: str
    process: subprocess.Popen[bytes]


class Board:
    """The one TensorBoard of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def show(self, record: RunRecord) -> str:
        """Return the address of TensorBoard on the log of a run: of the one that shows it already, else of a new one.

        Raises:
            BoardError: the package is missing, the run has no log for it, or it does not start.
        """
        folder = record.paths.tensorboard
        if importlib.util.find_spec("tensorboard") is None:
            raise BoardError(f"TensorBoard is not installed: run {sys.executable} -m pip install tensorboard")
        if not any(folder.glob("events.out.tfevents.*")):
            raise BoardError(
                f"{record.name} has no log for TensorBoard; tick TensorBoard in Train Gamma before a run that is to "
                "have one"
            )
        with self._lock:
            now = self._running
            if now is None or now.folder != folder or now.process.poll() is not None:
                self._end()
                self._running = now = _start(folder)
            return now.address

    def end(self) -> None:
        """End it, if it runs."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._running is not None:
            _stop(self._running.process)
            self._running = None


def _start(folder: Path) -> _Running:
    port = _free_port()
    options = ["--logdir", str(folder), "--host", HOST, "--port", str(port), "--load_fast", "false"]
    process = subprocess.Popen(
        [sys.executable, str(_CHILD), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return _Running(folder, f"http://{HOST}:{port}/", process)
        time.sleep(_POLL_S)
    _stop(process)
    raise BoardError("TensorBoard did not start; the command tensorboard, run by hand, says why")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


#: TensorBoard of this process.
board = Board()
