"""What one waits for at the command line: the page after its command, and the demo from its first line to its last."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from standalone import host

LAUNCH = (sys.executable, str(host.ROOT / "launch.py"))
DEMO = host.ROOT / "examples" / "demo.toml"
_PATIENCE_S = 600.0
_LOOK_EVERY_S, _LOOK_S = 0.02, 5.0
#: What a command that failed is told with.
_LAST_SIGNS = 500


class WaitingError(RuntimeError):
    """A command that is measured has failed; says what it printed last."""


def page(folder: Path) -> tuple[float, float]:
    """Return the seconds from the command until the page answers, and processor seconds; end the server then.

    Args:
        folder: the data of the host; from the second call on it is as at a second start.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    command = (*LAUNCH, "serve", "--no-browser", "--port", str(port), "--data-dir", str(folder))
    return timed(command, lambda: answers(address))


def demo(folder: Path, *changes: str) -> tuple[float, float]:
    """Return the seconds of the README's demo command, and processor seconds.

    Args:
        folder: for what it writes.
        changes: settings of its job, as `section.key=value`.
    """
    given = (f"output.dir={folder}", *changes)
    return timed((*LAUNCH, "train", str(DEMO), *(word for change in given for word in ("--set", change))))


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(address: str) -> bool:
    """Tell whether there is a page at an address."""
    try:
        with urllib.request.urlopen(address, timeout=_LOOK_S) as answer:
            return bool(answer.read())
    except OSError:
        return False


def timed(command: Sequence[str], is_ready: Callable[[], bool] | None = None) -> tuple[float, float]:
    """Run a command until it is ready, or to its end; return seconds and processor seconds.

    Args:
        is_ready: tells when to end it.

    Raises:
        WaitingError: it has failed, has ended before it was ready, or takes too long.
    """
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            was_ready = False
            while not was_ready and not _has_ended(process):
                if time.monotonic() - started > _PATIENCE_S:
                    break
                was_ready = is_ready is not None and is_ready()
                time.sleep(_LOOK_EVERY_S)
            seconds = time.monotonic() - started
        finally:
            os.kill(process.pid, signal.SIGTERM)  # one that is over takes no notice
            _, status, used = os.wait4(process.pid, 0)  # the only call that tells what this one process took
            process.returncode = os.waitstatus_to_exitcode(status)
        if not was_ready and (is_ready is not None or process.returncode):
            said.seek(0)
            raise WaitingError(f"{' '.join(command)}: {said.read().decode(errors='replace')[-_LAST_SIGNS:]}")
        return seconds, used.ru_utime + used.ru_stime


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process is over, and leave what it took to be asked for."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
