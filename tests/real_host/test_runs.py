"""While a run goes on in the real WebUI: what waits says so, Interrupt is not for the run, and guests are let in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real_host.webui import PICTURE, WebUI

V1 = "/hypernetwork-workbench/v1"
SECONDS = 120


def wait(what: str, check: Callable[[], Any]) -> Any:
    """Wait until `check` gives something true, and return it."""
    end = time.monotonic() + SECONDS
    while not (found := check()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.1)
    return found


@pytest.fixture
def run(host: WebUI, pictures: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Return what tells of a run that goes on; it is interrupted at the end."""
    job = {
        "data": {"folder": str(pictures), "width": 64, "height": 64},
        "train": {"max_steps": 100_000},
        "preview": {"every": "0"},
        "output": {"name": "visited", "overwrite": True, "sheet": False},
    }
    id_ = host.call(f"{V1}/train", job)["run"]

    def told() -> dict[str, Any]:
        return host.call(f"{V1}/status/{id_}")

    wait("a step", lambda: "step" in told()["text"])
    yield told
    if not told()["ended"]:
        host.call(f"{V1}/interrupt", {})
    wait("its end", lambda: told()["ended"])


def goes_on(run: Callable[[], dict[str, Any]]) -> None:
    """Wait for two more steps."""
    done = run()["done"]
    wait("two more steps", lambda: run()["done"] > done + 1)
    assert run()["state"] == "running"


def progress(host: WebUI, task: str) -> dict[str, Any]:
    return host.call("/internal/progress", {"id_task": task, "live_preview": False})


def test_what_waits_says_so_and_no_interrupt_of_the_host_ends_the_run(
    host: WebUI, run: Callable[[], dict[str, Any]]
) -> None:
    answers: list[Any] = []
    body = {**PICTURE, "force_task_id": "task(guest)"}
    guest = threading.Thread(target=lambda: answers.append(host.call("/sdapi/v1/txt2img", body)))
    guest.start()
    said = wait("the waiting", lambda: (found := progress(host, "task(guest)"))["queued"] and found)
    wait("what it waits for", lambda: "Waits for the training of visited" in progress(host, "task(guest)")["textinfo"])
    assert not said["active"]
    for route in ("interrupt", "skip"):
        host.call(f"/sdapi/v1/{route}", {})
        goes_on(run)
    assert not answers
    host.call(f"{V1}/interrupt", {})
    guest.join(SECONDS)
    assert answers[0]["images"]
    assert run()["state"] == "interrupted"


def test_a_pause_lets_a_picture_in_that_is_the_same_as_without_a_run(
    host: WebUI, run: Callable[[], dict[str, Any]]
) -> None:
    plain_while_running: list[Any] = []
    guest = threading.Thread(target=lambda: plain_while_running.append(host.picture()))
    guest.start()
    host.call(f"{V1}/pause", {})
    guest.join(SECONDS)
    assert run()["state"] == "paused"
    host.call(f"{V1}/go-on", {})
    goes_on(run)
    assert plain_while_running[0].shape == (64, 64, 3)
    assert host.call(f"{V1}/save", {})["file"].startswith("visited-")
    assert host.call(f"{V1}/preview", {"prompt": "a blue circle"})["file"].startswith("now-")
    goes_on(run)
