"""The tab Inspect Hypernetwork: a file made in Create is looked at, converted, compared, renamed and annotated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files, report
from hypernetwork_workbench.hypernetworks.train.settings.training import TrainSettings

from tests.browser.conftest import Server
from tests.browser.layout import wide
from tests.browser.page import Page

pytestmark = pytest.mark.story

NAME = "looked at"
OPEN = "return arguments[0].querySelector(':scope > .label-wrap').classList.contains('open')"


@pytest.fixture(scope="module")
def tab(page: Page, server: Server) -> Iterator[Page]:
    """Return the tab with a network made in Create; the page as it was before once the tests are over."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")  # until then the widths are not ticked
    page.fill("hnw_create_name", NAME)
    page.fill("hnw_create_more_widths", "24, 32")
    page.until("a form without problems", lambda: "To be corrected" not in page.text("hnw_create_summary"))
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"Created {NAME}")
    page.tab("Inspect Hypernetwork")
    yield page
    page.leave()


@pytest.fixture(scope="module")
def shown(tab: Page) -> Page:
    """Return the tab with the new network chosen: opening the tab has listed it."""
    tab.choose("hnw_inspect_file", NAME)
    tab.wait_for_text("hnw_inspect_report", "Who can read it")
    for section in ("compare", "convert", "rename", "notes"):
        fold = tab.find(f"#hnw_inspect_{section}")
        if not tab.driver.execute_script(OPEN, fold):
            tab.press(tab.find(f"#hnw_inspect_{section} > .label-wrap"))
    return tab


def path_of(server: Server, name: str) -> Path:
    return next(server.data.rglob(name))


def picture_count(page: Page) -> int:
    script = "return document.querySelectorAll('#hnw_inspect_report svg.hnw-histogram rect[fill]').length"
    return page.driver.execute_script(script)


def test_the_report_is_that_of_the_file(shown: Page, server: Server, screenshots: Path | None):
    described = report.describe(path_of(server, f"{NAME}.pt"))
    said = shown.text("hnw_inspect_report")
    assert f"{NAME}.pt" in said
    assert described.short_hash in said
    assert f"{described.parameters:,}" in said
    for program in described.readers:
        assert program in said
    shown.until("its histograms", lambda: picture_count(shown) > 100)
    shown.wait_for_value("hnw_inspect_convert_name", NAME)
    if screenshots:
        shown.screenshots(screenshots / "inspect.png")


def test_a_wrong_name_is_named_and_nothing_is_written(shown: Page, server: Server):
    before = sorted(server.data.rglob("*.pt*"))
    for wrong, sentence in (("a/b", "New name: must not contain /"), (NAME, f"New name: {NAME}.pt exists already")):
        shown.fill("hnw_inspect_convert_name", wrong)
        shown.press("hnw_inspect_convert_button")
        shown.wait_for_text("hnw_inspect_convert_status", sentence)
        assert shown.value("hnw_inspect_convert_name") == wrong
    assert NAME in shown.text("hnw_inspect_report")
    shown.fill("hnw_inspect_rename_name", "con")
    shown.press("hnw_inspect_rename_button")
    shown.wait_for_text("hnw_inspect_rename_status", "Rename to: con is reserved by Windows")
    assert sorted(server.data.rglob("*.pt*")) == before


def test_a_file_is_converted_compared_renamed_and_annotated(shown: Page, server: Server):
    page = shown
    page.fill("hnw_inspect_convert_name", "half")
    page.choose("hnw_inspect_convert_form", ".safetensors")
    page.choose("hnw_inspect_convert_dtype", "float16")
    page.press("hnw_inspect_convert_button")
    page.wait_for_text("hnw_inspect_convert_status", "Wrote half.safetensors")
    assert report.describe(path_of(server, "half.safetensors")).dtypes == ("float16",)

    page.choose("hnw_inspect_compare_other", "half")
    page.press("hnw_inspect_compare_button")
    table = page.wait_for_text("hnw_inspect_comparison", "cosine")
    assert f"A: {NAME}" in table
    assert "B: half" in table
    below = "return arguments[0].getBoundingClientRect().top - arguments[1].getBoundingClientRect().bottom"
    place, button = page.find("#hnw_inspect_comparison"), page.find("#hnw_inspect_compare_button")
    assert 0 <= page.driver.execute_script(below, place, button) < 80
    assert "no difference" in table
    assert "24 k layer 1 weight" in table
    assert "1.0000" in table

    page.choose("hnw_inspect_file", "half")
    page.wait_for_text("hnw_inspect_report", "opens only .pt files")
    page.until("the end of the comparison", lambda: page.text("hnw_inspect_comparison") == "")
    page.fill("hnw_inspect_rename_name", "halved")
    page.press("hnw_inspect_rename_button")
    page.wait_for_text("hnw_inspect_rename_status", "half.safetensors is halved.safetensors now")
    page.wait_for_value("hnw_inspect_file", "halved")

    page.fill("hnw_inspect_notes_optional_info", "by <b>hand</b>")
    page.press("hnw_inspect_notes_button")
    page.wait_for_text("hnw_inspect_notes_status", "has the new notes")
    page.wait_for_text("hnw_inspect_report", "by <b>hand</b>")
    assert files.load(path_of(server, "halved.safetensors")).metadata.optional_info == "by <b>hand</b>"


def test_the_settings_of_a_training_are_folds_with_labels_also_on_a_phone(shown: Page, server: Server):
    page, path = shown, path_of(server, f"{NAME}.pt")
    network = files.load(path)
    settings = {"train": {"max_steps": 77, "seed": TrainSettings.seed}, "optimizer": {"name": "Lion"}}
    network.metadata.training["settings"] = settings
    files.save(network, path.with_name("trained.pt"))
    page.press("hnw_inspect_refresh")
    page.choose("hnw_inspect_file", "trained")
    said = page.wait_for_text("hnw_inspect_report", "Optimizer 1 changed", "Training 1 changed")
    assert "max_steps" not in said
    assert "Lion" not in said  # folded
    page.driver.execute_script("for (const one of document.querySelectorAll('.hnw-recorded')) one.open = true")
    assert "Lion default: AdamW" in " ".join(page.text("hnw_inspect_report").split())
    labels = {name: option.label for name, _, option in TrainSettings.options()}
    assert labels["seed"] in page.text("hnw_inspect_report")
    page.choose("hnw_inspect_compare_other", NAME)
    page.press("hnw_inspect_compare_button")
    page.wait_for_text("hnw_inspect_comparison", "cosine")
    with wide(page.driver, 420):
        size = (
            "const box = arguments[0].getBoundingClientRect(); return [box.left, box.right, arguments[0].scrollWidth]"
        )
        for place in ("#hnw_inspect_comparison table", "#hnw_inspect_report .hnw-recorded table"):
            left, right, width = page.driver.execute_script(size, page.find(place))
            assert left >= 0
            assert right <= 420
            assert width <= right - left + 1


def test_a_broken_file_shows_its_problem(shown: Page, server: Server):
    whole = path_of(server, f"{NAME}.pt")
    whole.with_name("broken.pt").write_bytes(whole.read_bytes()[:500])
    shown.press("hnw_inspect_refresh")
    shown.choose("hnw_inspect_file", "broken")
    shown.wait_for_text("hnw_inspect_report", "broken.pt: it is damaged")
    assert "500 bytes" in shown.text("hnw_inspect_report")


def test_the_tab_made_no_error(shown: Page):
    assert shown.own_errors() == []
