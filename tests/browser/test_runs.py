"""While a run goes on: others generate, look, inspect, interrupt, reload; and the run ends with its own settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from PIL import Image

from tests.browser import page as browser
from tests.browser.conftest import Server
from tests.browser.page import Page
from tests.browser.test_train import html, live_step
from tests.sources import ROOT

pytestmark = pytest.mark.story

NAME = "busy"
#: More than are taken while these tests last; at the end somebody presses Interrupt.
STEPS = 50_000
NOTICE = "#tab_txt2img .hnw-waiting-notice"


@pytest.fixture(scope="module")
def tab(page: Page) -> Iterator[Page]:
    """Return the page while a run goes on, which was started on it; the page anew afterwards."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")  # until then the widths are not ticked
    page.fill("hnw_create_name", NAME)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {NAME}")
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")
    page.enter("hnw_train_network_file", NAME)
    page.fill("hnw_train_preview_every", 0)
    page.fill("hnw_train_train_max_steps", STEPS)
    page.press("hnw_train_button")
    page.until("a step", lambda: live_step(page) > 2)
    yield page
    page.leave()
    page.tab("Train")
    page.tab("Train Gamma")
    page.press("hnw_train_interrupt")


@pytest.fixture
def other(tab: Page, server: Server) -> Iterator[Page]:
    """Return the page of a second user."""
    with browser.opened(server.address) as page:
        yield page


def goes_on(page: Page) -> None:
    """Wait for two more steps of the run."""
    step = live_step(page)
    page.until("two more steps", lambda: live_step(page) > step + 1)


def generate(page: Page) -> str:
    """Press Generate; return what the page says of the waiting."""
    page.tab("txt2img")
    page.press("txt2img_generate")
    return page.until("what it waits for", lambda: html(page, NOTICE))


def test_what_waits_says_for_what_and_interrupt_takes_it_back(tab: Page):
    said = generate(tab)
    assert f"Waits for the training of {NAME}" in said
    assert " left." in said
    tab.press("txt2img_interrupt")
    tab.until("the end of the waiting", lambda: not html(tab, NOTICE))
    tab.wait_for_text("html_log_txt2img", "Taken back while it waited")
    goes_on(tab)


def test_what_waits_is_let_in_between_two_steps(tab: Page):
    generate(tab)
    tab.press(tab.find(f"{NOTICE} button"))
    (source, *_) = tab.until("a picture", lambda: tab.pictures("txt2img_gallery"))
    assert tab.pixels(source).std() > 1
    goes_on(tab)


def test_a_second_user_takes_back_only_what_is_theirs(tab: Page, other: Page):
    generate(tab)
    generate(other)
    other.press("txt2img_interrupt")
    other.wait_for_text("html_log_txt2img", "Taken back while it waited")
    assert "Waits for" in html(tab, NOTICE)
    other.tab("Train")
    other.tab("Train Gamma")
    other.until("the run on the other page", lambda: live_step(other) > 0)
    other.wait_for_value("hnw_train_train_max_steps", str(STEPS))
    other.wait_for_value("hnw_train_network_file", NAME)
    other.press("hnw_train_button")
    other.wait_for_text("hnw_train_status", "is being trained")
    tab.press("txt2img_interrupt")
    tab.until("the end of the waiting", lambda: not html(tab, NOTICE))
    goes_on(tab)
    assert other.own_errors() == []


def test_dataset_and_inspect_do_not_wait(tab: Page):
    tab.tab("Train")
    tab.tab("Dataset")
    tab.fill("hnw_dataset_data_folder", ROOT / "examples" / "night")
    tab.press("hnw_dataset_look_button")
    tab.wait_for_text("hnw_dataset_status", "16 pictures were found")
    tab.press("hnw_dataset_interrupt_button")
    tab.tab("Inspect Hypernetwork")
    tab.choose("hnw_inspect_file", NAME)
    tab.wait_for_text("hnw_inspect_report", NAME)
    goes_on(tab)


def test_a_pause_holds_the_run_until_it_goes_on(tab: Page):
    tab.tab("Train Gamma")
    tab.press("hnw_train_pause")
    tab.until("the pause", lambda: "Paused after step" in html(tab, "#hnw_train_live"))
    tab.until("no button for a pause", lambda: not tab.find("#hnw_train_pause").is_displayed())
    tab.press("hnw_train_go_on")
    tab.until("steps again", lambda: live_step(tab))
    goes_on(tab)


def test_a_copy_and_a_preview_are_made_at_once(tab: Page, server: Server):
    tab.press("hnw_train_save_now")
    said = tab.wait_for_text("hnw_train_status", "Saved as busy-")
    (copy,) = server.data.rglob(f"{NAME}-0*.pt")
    assert copy.name in said
    tab.fill("hnw_train_now_prompt", "a blue circle")
    tab.press("hnw_train_preview_now")
    tab.wait_for_text("hnw_train_status", "The preview is now-")
    (path,) = server.data.rglob(f"{NAME}/previews/now-*.png")
    with Image.open(path) as made:
        assert made.info["parameters"].startswith("a blue circle")
    goes_on(tab)


def test_the_list_shows_the_run_while_it_goes_on(tab: Page):
    tab.tab("Runs")
    tab.press("hnw_runs_refresh")
    said = tab.wait_for_text("hnw_runs_list", NAME)
    assert "running" in said
    assert f"of {STEPS} steps" in said


def test_the_page_shows_the_run_again_and_it_ends_with_its_own_settings(tab: Page, server: Server):
    tab.driver.get(tab.address)
    tab.find(".gradio-container button")
    tab.tab("Train")
    tab.tab("Train Gamma")
    tab.until("the same run", lambda: live_step(tab) > 0)
    tab.wait_for_value("hnw_train_train_max_steps", str(STEPS))
    tab.fill("hnw_train_train_max_steps", 7)
    goes_on(tab)
    tab.press("hnw_train_interrupt")
    said = tab.wait_for_text("hnw_train_status", "Stopped by hand")
    # In a line of its own: while an answer is awaited, the host's seconds may stand above it.
    found = re.search(r"^Stopped by hand after (\d+) steps in \d+ s; loss", said, re.MULTILINE)
    assert found, said
    last = int(found[1])
    (path,) = server.data.rglob(f"{NAME}.pt")
    assert files.load(path).metadata.step == last > 7
    (folder,) = (path.parent for path in server.data.rglob(f"{NAME}/job.toml"))
    assert Job.from_mapping(read_tables(folder / "job.toml")).train.max_steps == STEPS
    rows = (folder / "log.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == list(range(1, last + 1))


def test_the_scripts_made_no_error(tab: Page):
    assert tab.own_errors() == []
