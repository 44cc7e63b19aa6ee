"""The tab Train Tuning: a study is watched, answered and taken over, and the page shows it again after a reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files

from tests.browser import page as browser
from tests.browser.conftest import Server
from tests.browser.page import Page
from tests.browser.test_train import html

TAB = "tests/patches/tabs/test_tuning_tab.py"
pytestmark = [
    pytest.mark.story,
    pytest.mark.long(f"{TAB}::test_a_study_is_done_answered_and_taken"),
    pytest.mark.long("tests/browser/test_every_queue.py::test_every_control_was_touched"),
]

NAME = "tuned"
RATES = "[0.001, 0.03]"
PICTURE_STEPS = 2
#: For the picture of the README.
MANY_RATES, MANY_STEPS = "[0.0005, 0.002, 0.008, 0.02]", 80


@pytest.fixture(scope="module")
def tuned(page: Page, screenshots: Path | None) -> Iterator[Page]:
    """Return the page after a study of a few rates."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")
    page.fill("hnw_create_name", NAME)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {NAME}")
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")
    page.enter("hnw_train_network_file", NAME)
    page.fill("hnw_train_train_max_steps", MANY_STEPS if screenshots else 2)
    page.fill("hnw_train_preview_sampling_steps", 20 if screenshots else PICTURE_STEPS)
    page.fill("hnw_train_train_validation_share", 0.2)
    page.tab("Train Tuning")
    page.choose("hnw_tuning_tune_method", "grid")
    page.choose("hnw_tuning_tune_objective", "validation loss")
    page.fill("hnw_tuning_tune_ranges", f"schedule.rate = {MANY_RATES if screenshots else RATES}")
    page.press("hnw_tuning_button")
    page.until("the progress of a trial", lambda: html(page, "#hnw_tuning_live"))
    page.until("the answer", lambda: html(page, "#hnw_tuning_answer .hnw-best"), seconds=400)
    if screenshots:
        page.screenshots(screenshots / "tuning.png")
    yield page
    page.leave()


def test_the_answer_has_a_row_for_each_trial_and_their_pictures(tuned: Page, screenshots: Path | None):
    rows = tuned.driver.find_elements("css selector", "#hnw_tuning_answer .hnw-wide-table tr:has(td)")
    assert len(rows) == (4 if screenshots else 2)
    (sheet, *_) = tuned.until("the sheet", lambda: tuned.pictures("hnw_tuning_gallery"))
    assert tuned.pixels(sheet).std() > 1


def test_a_trial_is_taken_over_as_a_network_and_as_settings(tuned: Page, server: Server):
    tuned.press("hnw_tuning_take_network")
    said = tuned.wait_for_text("hnw_tuning_status", "Saved as")
    (path,) = (one for one in server.data.rglob("*.pt") if f"Saved as {one.name} in {one.parent}" in said)
    assert files.load(path).metadata.step > 0
    tuned.press("hnw_tuning_take_settings")
    tuned.wait_for_text("hnw_tuning_status", "The form of Train Gamma has the settings of trial")
    assert tuned.find("#hnw_train_button").is_displayed()


def test_the_answer_is_there_after_a_reload(tuned: Page):
    tuned.driver.get(tuned.address)
    tuned.tab("Train")
    tuned.tab("Train Tuning")
    tuned.until("the answer", lambda: html(tuned, "#hnw_tuning_answer .hnw-best"))


@pytest.mark.long(
    "tests/patches/tabs/test_tuning_tab.py::test_a_page_that_is_opened_during_a_study_keeps_its_form_and_follows"
)
def test_a_page_that_is_opened_during_a_study_follows_it_and_can_interrupt_it(tuned: Page, server: Server):
    tuned.tab("Train Gamma")
    tuned.fill("hnw_train_train_max_steps", 8)
    tuned.fill("hnw_train_output_name", "followed")
    tuned.tab("Train Tuning")
    tuned.choose("hnw_tuning_tune_method", "random")
    tuned.choose("hnw_tuning_tune_objective", "style distance")
    tuned.fill("hnw_tuning_tune_ranges", "schedule.rate = 1e-4..1e-2 log\nnetwork.activation = [relu, mish]")
    tuned.press("hnw_tuning_button")
    tuned.until("a trial", lambda: "trial 1 of 16" in html(tuned, "#hnw_tuning_live"))
    with browser.opened(server.address) as other:
        other.tab("Train")
        other.tab("Train Tuning")
        other.until("the trial it is at", lambda: "of 16" in html(other, "#hnw_tuning_live"))
        count = other.until("a trial that is over", lambda: len(trials_of(other)))
        other.until("one more", lambda: len(trials_of(other)) > count)
        other.press("hnw_tuning_interrupt")
        other.until("the end", lambda: not html(other, "#hnw_tuning_live"))
        assert other.own_errors() == []
    tuned.wait_for_text("hnw_tuning_status", "It was interrupted; started again, it goes on")


def trials_of(page: Page) -> list[object]:
    return page.driver.find_elements("css selector", "#hnw_tuning_answer .hnw-study > .hnw-wide-table tr:has(td)")


def test_the_scripts_made_no_error(tuned: Page):
    assert tuned.own_errors() == []
