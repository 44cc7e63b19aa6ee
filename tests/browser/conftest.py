"""A server of our own page and a Chromium that looks at it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests import sources
from tests.browser import page as browser

pytest.register_assert_rewrite("tests.browser.every_parts")

SECONDS_TO_START = 240
SERVE = "import sys; from standalone import app; sys.exit(app.serve(sys.argv[1:]))"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --screenshots."""
    parser.addoption(
        "--screenshots", type=Path, metavar="DIR", help="run the demo in full and save the README's pictures there"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Server:
    """The page of the embedded host in a process of its own.

    Attributes:
        address: where it answers.
        data: its data folder.
        started_cpu_s: seconds of one core from the start of the process to its first answer; a clock would also count
            what else the machine is doing.
    """

    address: str
    data: Path
    log: Path
    started_cpu_s: float


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    """Return the folder for screenshots, where some were asked for."""
    return request.config.getoption("--screenshots", default=None)


@pytest.fixture(scope="session")
def chromium() -> None:
    """Sees to it that there is a Chromium: without one CI fails, and elsewhere the test is skipped."""
    if reason := browser.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs the browser test, and {reason}")
        pytest.skip(reason)


@contextmanager
def serving(tmp_path_factory: pytest.TempPathFactory, *flags: str) -> Iterator[Server]:
    """Serve the page on a free port with an empty data folder; `flags` are more of its command line."""
    port = free_port()
    data = tmp_path_factory.mktemp("data")
    log = tmp_path_factory.mktemp("log") / "server.log"
    command = [sys.executable, "-c", SERVE, "--port", str(port), "--data-dir", str(data), "--no-browser", *flags]
    address = f"http://127.0.0.1:{port}"
    start = time.monotonic()
    with (
        log.open("w", encoding="utf-8") as out,
        subprocess.Popen(command, cwd=sources.ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            while not _answers(address):
                said = log.read_text(encoding="utf-8")[-3000:]
                assert process.poll() is None, f"the server ended by itself:\n{said}"
                assert time.monotonic() - start < SECONDS_TO_START, f"the server does not answer:\n{said}"
                time.sleep(0.1)
            spent = psutil.Process(process.pid).cpu_times()
            yield Server(address, data, log, spent.user + spent.system)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_answer(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server that was started answers."""
    start = time.monotonic()
    while not _answers(address):
        assert process.poll() is None, "the server ended by itself"
        assert time.monotonic() - start < SECONDS_TO_START, "the server does not answer"
        time.sleep(0.1)


def free_port() -> int:
    """Return a port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the page; the tests of this folder share it."""
    with serving(tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="session")
def page(server: Server) -> Iterator[browser.Page]:
    """Return the page in Chromium; the tests of this folder share it."""
    with browser.opened(server.address) as page:
        yield page


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
