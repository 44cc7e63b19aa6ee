"""Python processes that start quickly: each is a fork of one process that has imported what they all need.

`launch.py test` starts that process for all workers (`shared`); whoever runs pytest otherwise has one of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from tests import sources

#: What takes longest to import; the imports start no thread, which a fork would lack.
HEAVY = ("torch", "gradio", "transformers.models.clip.modeling_clip", "matplotlib.pyplot", "scipy.integrate")
#: Where the process that is forked listens.
ADDRESS = "WORKBENCH_TEST_FORKS"
_MOST_BYTES = 1 << 20
#: Other systems lack the kind of socket, or libraries that take a fork well.
ARE_POSSIBLE = sys.platform == "linux"


def _kind() -> tuple[int, int]:
    return socket.AF_UNIX, socket.SOCK_SEQPACKET  # Windows lacks the names


class Fork:
    """A process of its own, with the part of `subprocess.Popen` that tests use.

    Attributes:
        pid: its number.
        returncode: its exit code, negative for a signal; None while it runs.
    """

    def __init__(self, code: str, arguments: Sequence[str], streams: Sequence[int]) -> None:
        asked = {"code": code, "arguments": arguments, "environment": _environment()}
        self._answers = socket.socket(*_kind())
        self._answers.connect(os.environ[ADDRESS])
        socket.send_fds(self._answers, [json.dumps(asked).encode()], list(streams))
        self.pid = int(self._answers.recv(64))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when it has ended; raises subprocess.TimeoutExpired after `timeout` seconds."""
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                said = self._answers.recv(64)
            except (BlockingIOError, TimeoutError) as error:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from error
            assert said, "the process that was forked has ended"
            self.returncode = int(said)
            self._answers.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


Process: TypeAlias = "Fork | subprocess.Popen[bytes]"


def start(code: str, *arguments: object, out: IO[Any], err: IO[Any]) -> Process:
    """Start Python code in the project's folder: a fork within `shared`, else a process from the beginning.

    Args:
        code: what `python -c` would run; it finds `arguments` in `sys.argv`.
        out, err: where its stdout and stderr go; its stdin is empty.
    """
    words = [str(argument) for argument in arguments]
    if ADDRESS not in os.environ:
        line = [sys.executable, "-c", code, *words]
        return subprocess.Popen(
            line, cwd=sources.ROOT, env=_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
    with Path(os.devnull).open() as nothing:
        return Fork(code, words, [nothing.fileno(), out.fileno(), err.fileno()])


@contextmanager
def shared() -> Iterator[None]:
    """Have one process to fork while this context lasts; the one that is there already where there is one."""
    if not ARE_POSSIBLE or ADDRESS in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="workbench-forks-") as folder, socket.socket(*_kind()) as listening:
        address = str(Path(folder, "socket"))
        listening.bind(address)
        listening.listen(64)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", str(listening.fileno())],
            cwd=sources.ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,  # the end of which ends it
            pass_fds=[listening.fileno()],
        ):
            os.environ[ADDRESS] = address
            try:
                yield
            finally:
                del os.environ[ADDRESS]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


class _Children:
    """The forks of this process, each with the connection of who asked for it."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._askers: dict[int, socket.socket] = {}

    def make(self) -> dict[str, Any] | None:
        """Fork for the next who asks: return to the fork what it shall do, and None to this process."""
        asker, _ = self._listening.accept()
        said, streams, _, _ = socket.recv_fds(asker, _MOST_BYTES, 3)
        child = os.fork()
        if child:
            self._askers[child] = asker
            with contextlib.suppress(OSError):  # who asked may be no more
                asker.send(str(child).encode())
        else:
            for place, stream in enumerate(streams):
                os.dup2(stream, place)
            for one in (asker, self._listening, *self._askers.values()):
                one.close()
        for stream in streams:
            os.close(stream)
        return None if child else json.loads(said)

    def tell_ends(self) -> None:
        """Tell the exit codes of those that have ended."""
        while self._askers:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            with self._askers.pop(child) as asker, contextlib.suppress(OSError):  # who asked may be no more
                asker.send(str(os.waitstatus_to_exitcode(status)).encode())


def _serve(listening: socket.socket) -> dict[str, Any] | None:
    """Fork for all who ask until stdin ends; return what it shall do to a fork, and None at the end."""
    children = _Children(listening)
    ended, wake = socket.socketpair()
    wake.setblocking(False)
    with selectors.DefaultSelector() as ready, ended, wake:
        for source in (listening, ended, sys.stdin):
            ready.register(source, selectors.EVENT_READ)
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches all; the end of stdin follows
        if sys.stdin in _sources(ready):
            return None
        _import_what_all_need()
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while sys.stdin not in (found := _sources(ready)):
            if ended in found:
                ended.recv(64)
                children.tell_ends()
            if listening in found and (asked := children.make()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                return asked
    return None


def _sources(ready: selectors.BaseSelector) -> list[Any]:
    return [key.fileobj for key, _ in ready.select()]


def _import_what_all_need() -> None:
    for heavy in HEAVY:
        importlib.import_module(heavy)
    importlib.import_module("standalone.host").mount()
    patches = importlib.import_module("hypernetwork_workbench.patches")
    for found in pkgutil.walk_packages(patches.__path__, f"{patches.__name__}."):
        importlib.import_module(found.name)
    gc.collect()
    gc.freeze()  # no fork need look at what all of them have


def _run(asked: dict[str, Any]) -> int:
    """Run the code as the main module of this process, and return its exit code."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["-c", *asked["arguments"]]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    code: Any = 0
    try:
        exec(compile(asked["code"], "<string>", "exec"), main.__dict__)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    return code or 0


def _main(listening: int) -> None:
    with socket.socket(fileno=listening) as place:
        asked = _serve(place)
    if asked:
        code = _run(asked)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # to take all modules down costs more than many a command


if __name__ == "__main__":
    _main(int(sys.argv[1]))
