"""A page that is asked while it is built anew answers late and not wrongly."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest
from hypernetwork_workbench.standalone import app


@pytest.fixture
def port(host):
    """Return the port of a host that is about to be served."""
    options = host.module("shared").cmd_opts
    before = dict(vars(options))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        vars(options).update(port=probe.getsockname()[1], api=True)
    yield options.port
    vars(options).clear()
    vars(options).update(before)


def answers(address: str, stop: threading.Event, found: list[int]) -> None:
    """Ask as the page does while it waits for its server, and note what was answered."""
    while not stop.is_set():
        try:
            found.append(httpx.post(f"{address}/internal/progress", json={}, timeout=60).status_code)
        except httpx.ConnectError:
            time.sleep(0.01)


@pytest.mark.filterwarnings("ignore")
def test_nothing_is_missing_to_who_asks_while_the_page_is_built(host, port, monkeypatch):
    progress = host.module("progress")
    added, stop, found = progress.setup_progress_api, threading.Event(), []
    monkeypatch.setattr(progress, "setup_progress_api", lambda server: (time.sleep(1), added(server)))
    asking = threading.Thread(target=answers, args=(f"http://127.0.0.1:{port}", stop, found))
    asking.start()
    try:
        running = app.launch(host)
        deadline = time.monotonic() + 60
        while len(found) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        running.close(verbose=False)
    finally:
        stop.set()
        asking.join()
    assert set(found) == {200}
