"""A server of our own page and a Chromium that looks at it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser import page as browser
from tests.support import forks

pytest.register_assert_rewrite("tests.browser.every_parts")

SECONDS_TO_START = 240
QUICK = ("test_origins.py", "test_page.py")
"""The files of a quick run: from the first answer to a picture, faulty fields, and who may ask for anything."""
SERVE = "import sys; from standalone import app; sys.exit(app.serve(sys.argv[1:]))"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --screenshots."""
    parser.addoption(
        "--screenshots", type=Path, metavar="DIR", help="run the demo in full and save the README's pictures there"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave most of a browser's minutes to the long run; what its buttons call is tested without one, by tab."""
    if Path(__file__).parent in item.path.parents and item.path.name not in QUICK:
        item.add_marker(pytest.mark.long(alone="a browser takes minutes; tests/patches/tabs ask the same functions"))


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
    """

    address: str
    data: Path
    log: Path
    process: forks.Process


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    """Return the folder for screenshots, where some were asked for."""
    return request.config.getoption("--screenshots", default=None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[None]:
    """Sees to it that there is a Chromium: without one CI fails, and elsewhere the test is skipped.

    The servers that it looks at start as forks.
    """
    if reason := browser.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs the browser test, and {reason}")
        pytest.skip(reason)
    with forks.shared():
        yield


@contextmanager
def serving(tmp_path_factory: pytest.TempPathFactory, *flags: str) -> Iterator[Server]:
    """Serve the page on a free port with an empty data folder; `flags` are more of its command line."""
    port = free_port()
    data = tmp_path_factory.mktemp("data")
    log = tmp_path_factory.mktemp("log") / "server.log"
    with log.open("w", encoding="utf-8") as out:
        process = forks.start(SERVE, "--port", port, "--data-dir", data, "--no-browser", *flags, out=out, err=out)
    running = Server(f"http://127.0.0.1:{port}", data, log, process)
    try:
        _wait_for_answer(running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_answer(server: Server) -> None:
    start = time.monotonic()
    while not _answers(server.address):
        said = server.log.read_text(encoding="utf-8")[-3000:]
        assert server.process.poll() is None, f"the server ended by itself:\n{said}"
        assert time.monotonic() - start < SECONDS_TO_START, f"the server does not answer:\n{said}"
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
