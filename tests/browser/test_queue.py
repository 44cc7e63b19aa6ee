"""The tab Queue: jobs of all kinds are added in the tabs, ordered, taken back, and go on after a kill of the server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.queue import Queue

from tests.browser import page as browser
from tests.browser.conftest import serving
from tests.browser.page import Page
from tests.browser.test_train import live_step
from tests.support.forks import Process

pytestmark = [pytest.mark.story, pytest.mark.slow]

#: More than are taken before somebody cancels the job.
ENDLESS = 50_000
STATES = """
return [...document.querySelectorAll("#hnw_queue_list .hnw-run-card")].map((card) =>
    [card.querySelector("b").innerText, card.querySelector(".hnw-run-state").innerText]);
"""
#: Presses the box of a job, which the page may draw anew at any moment; tells whether it is there.
PRESS = """
const cards = [...document.querySelectorAll("#hnw_queue_list .hnw-run-card")];
const box = cards.find((one) => one.innerText.includes(arguments[0]))?.querySelector("input");
box?.click();
return Boolean(box);
"""


@contextmanager
def served(data: Path, factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Process]]:
    """Serve the page on a data folder; give it in Chromium, and the process of the server."""
    with serving(factory, "--data-dir", str(data)) as server, browser.opened(server.address) as page:
        page.tab("Train")
        yield page, server.process
        server.process.kill()  # what still runs would keep it


def states(page: Page) -> list[list[str]]:
    return page.driver.execute_script(STATES)


def ask(page: Page, job: str, button: str) -> None:
    """Choose one job, press a button and take the choice back."""
    page.until(job, lambda: page.driver.execute_script(PRESS, job))
    page.press(f"hnw_queue_{button}")
    page.until(job, lambda: page.driver.execute_script(PRESS, job))


def create_and_train(page: Page, name: str, steps: int) -> None:
    page.tab("Train Gamma")
    page.fill("hnw_train_train_max_steps", steps)
    page.fill("hnw_train_preview_every", 0)
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")
    page.fill("hnw_create_name", name)
    page.press("hnw_create_queue")
    page.wait_for_text("hnw_create_status", "Added to the queue")


def tune(page: Page, name: str, steps: int) -> None:
    page.fill("hnw_train_output_name", name)
    page.fill("hnw_train_train_max_steps", steps)
    page.tab("Train Tuning")
    page.choose("hnw_tuning_tune_method", "grid")
    page.choose("hnw_tuning_tune_objective", "style distance")
    page.fill("hnw_tuning_tune_ranges", "train.seed = [1, 2]")
    page.press("hnw_tuning_queue")
    page.wait_for_text("hnw_tuning_status", "Added to the queue")


@pytest.mark.long("tests/patches/queue/test_worker.py::test_jobs_of_several_kinds_are_done_in_their_order")
def test_jobs_of_all_kinds_are_ordered_and_go_on_after_a_kill(chromium, tmp_path, tmp_path_factory, screenshots):
    queue = Queue.of(tmp_path)
    with served(tmp_path, tmp_path_factory) as (page, process):
        page.tab("Queue")
        page.press("hnw_queue_hold")
        page.until("the note", lambda: "The queue is held" in page.text("hnw_queue_list"))
        for name, steps in (("alpha", 3), ("bravo", 3), ("long", ENDLESS)):
            create_and_train(page, name, steps)
        page.tab("Queue")
        page.until("three jobs", lambda: [name for name, _ in states(page)] == ["alpha", "bravo", "long"])
        ask(page, "bravo", "up")
        page.until("another order", lambda: [name for name, _ in states(page)] == ["bravo", "alpha", "long"])
        page.press("hnw_queue_release")
        page.until("the long job", lambda: ["long", "running"] in states(page))
        page.tab("Merge Hypernetworks")
        page.press("hnw_merge_refresh")
        for number, name in ((1, "alpha"), (2, "bravo")):
            page.choose(f"hnw_merge_network_{number}", name)
        page.fill("hnw_merge_name", "both")
        page.press("hnw_merge_queue")
        page.wait_for_text("hnw_merge_status", "Added to the queue")
        page.tab("Train Gamma")
        page.until("a step of a run that the page did not start", lambda: live_step(page) > 0)
        page.press("hnw_train_refresh")
        page.enter("hnw_train_network_file", "alpha")
        page.fill("hnw_train_train_max_steps", 5)
        page.press("hnw_train_queue_continue")
        page.wait_for_text("hnw_train_status", "Added to the queue")
        tune(page, "tried", 2)
        page.tab("Queue")
        page.until("the study", lambda: ["tried", "waiting"] in states(page))
        ask(page, "going on", "up")
        page.until("the other order", lambda: [name for name, _ in states(page)][:3] == ["long", "alpha", "both"])
        if screenshots:
            page.screenshots(screenshots / "queue.png")
        assert page.own_errors() == []
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert {one.title: one.state for one in queue.entries() if one.is_open}["long"] == "running"
    with served(tmp_path, tmp_path_factory) as (page, _):
        page.tab("Queue")
        page.until("the long job again", lambda: ["long", "running"] in states(page))
        ask(page, "long", "cancel")
        page.until("the end", lambda: sorted(state for _, state in states(page)) == ["cancelled", *["done"] * 5])
        assert page.own_errors() == []
    folder = tmp_path / "models" / "hypernetworks"
    assert files.load(folder / "both.pt").metadata.training["merge"]
    assert files.load(folder / "alpha.pt").metadata.step == 5
    assert (tmp_path / "outputs" / "training" / "tried-tuning" / "tried-002.pt").is_file()
