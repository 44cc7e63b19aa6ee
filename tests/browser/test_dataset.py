"""The tab Dataset: the demo's pictures are looked at, a tag is changed and changed back, wrong input is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.train.settings.job import DataSettings

from tests.browser.conftest import Server
from tests.browser.page import Page
from tests.sources import ROOT

pytestmark = pytest.mark.story

OPEN = "return arguments[0].querySelector(':scope > .label-wrap').classList.contains('open')"
BROKEN_PICTURES = """
return [...document.querySelectorAll('#hnw_dataset_tab img')].filter((one) => one.naturalWidth === 0).length
"""
TAG = "return document.querySelector('.hnw-tags tbody tr button').textContent"
EVIL = "<script>document.title = 'taken over'</script>"


@pytest.fixture(scope="module")
def folder(server: Server) -> Path:
    """Return a copy of the demo's pictures with its captions written as tags."""
    place = server.data / "my pictures"
    shutil.copytree(ROOT / "examples" / "night", place)
    for path in place.glob("*.txt"):
        path.write_text(path.read_text(encoding="utf-8").strip().replace(" on a ", ", night, "), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def tab(page: Page, folder: Path) -> Iterator[Page]:
    """Return the tab with the dataset looked at; the page as it was before once the tests are over."""
    page.tab("Train")
    page.tab("Dataset")
    page.fill("hnw_dataset_data_folder", folder)
    unfold(page, "framing")
    page.choose("hnw_dataset_data_framing", "buckets")
    page.fill("hnw_dataset_data_bucket_step", 8)
    page.fill("hnw_dataset_data_min_side", 32)
    look(page)
    yield page
    page.leave()


def unfold(page: Page, name: str) -> None:
    fold = page.find(f"#hnw_dataset_{name}")
    if not page.driver.execute_script(OPEN, fold):
        page.press(page.find(f"#hnw_dataset_{name} > .label-wrap"))


def look(page: Page) -> str:
    page.press("hnw_dataset_look_button")
    page.wait_for_text("hnw_dataset_status", "pictures were found")
    return page.text("hnw_dataset_overview")


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.txt")}


def count(page: Page, selector: str) -> int:
    return page.driver.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


def test_the_survey_shows_sizes_steps_tags_and_every_picture(tab: Page, folder: Path):
    settings = DataSettings(str(folder), 64, 64, 8, framing="buckets", bucket_step=8, min_side=32)
    trained = read_dataset(settings, "").divided(0.0, 1)
    said = tab.text("hnw_dataset_overview")
    sizes = {(kind.width_px, kind.height_px) for kind in trained.training.kinds}
    assert len(sizes) > 2
    assert all(f"{width} × {height}" in said for width, height in sizes)
    assert f"{trained.steps_per_epoch} steps: 16 pictures" in said
    assert "16 can be used" in said
    assert "None was found." in said
    tab.until("its first tag", lambda: tab.driver.execute_script(TAG) == "night")
    assert count(tab, "#hnw_dataset_cards .hnw-card") == 16
    assert count(tab, "#hnw_dataset_cards svg image") == 16
    tab.until("pictures that can be seen", lambda: tab.driver.execute_script(BROKEN_PICTURES) == 0)


def test_a_tag_is_changed_everywhere_and_changed_back(tab: Page, folder: Path):
    before = texts(folder)
    unfold(tab, "tags")
    tab.choose("hnw_dataset_tags_action", "replace")
    tab.fill("hnw_dataset_tags_tag", "night")
    tab.fill("hnw_dataset_tags_replacement", "dusk")
    tab.press("hnw_dataset_tags_button")
    tab.wait_for_text("hnw_dataset_tags_status", "Done: replace night by dusk (16 caption files)")
    tab.until("the new tag", lambda: tab.driver.execute_script(TAG) == "dusk")
    assert all(b", dusk, " in text for text in texts(folder).values())
    tab.press("hnw_dataset_undo_button")
    tab.wait_for_text("hnw_dataset_undo_status", "Undone: replace night by dusk")
    tab.until("the old tag", lambda: tab.driver.execute_script(TAG) == "night")
    assert texts(folder) == before


def test_a_picture_is_pressed_and_its_caption_edited_and_taken_back(tab: Page, folder: Path):
    before = texts(folder)
    tab.press(tab.find("#hnw_dataset_cards .hnw-card[data-number='4']"))
    tab.wait_for_text("hnw_dataset_chosen", "05-cyan-star.png")
    tab.until("its caption", lambda: "cyan star" in tab.value("hnw_dataset_caption"))
    tab.fill("hnw_dataset_caption", f"{EVIL}, star")
    tab.press("hnw_dataset_save_button")
    tab.wait_for_text("hnw_dataset_save_status", "Done: caption of 05-cyan-star.png (1 caption file)")
    assert (folder / "05-cyan-star.txt").read_text(encoding="utf-8") == f"{EVIL}, star"
    for place in ("hnw_dataset_cards", "hnw_dataset_overview"):
        tab.wait_for_text(place, EVIL)
    assert tab.driver.title != "taken over"
    tab.press("hnw_dataset_undo_button")
    tab.until("the old caption", lambda: "cyan star" in tab.value("hnw_dataset_caption"))
    assert texts(folder) == before


def test_pictures_with_a_tag_are_found_by_pressing_it(tab: Page):
    tags = "return [...document.querySelectorAll('.hnw-tags tbody button')].find((b) => b.textContent === 'a red star')"
    tab.press(tab.driver.execute_script(tags))
    tab.until("one picture", lambda: "1 of 16 pictures" in tab.text("hnw_dataset_pager"))
    tab.wait_for_text("hnw_dataset_cards", "09-red-star.png")
    tab.fill("hnw_dataset_words", "")
    tab.until("all pictures", lambda: "16 of 16 pictures" in tab.text("hnw_dataset_pager"))


def test_wrong_input_is_named_and_what_is_shown_stays(tab: Page):
    tab.fill("hnw_dataset_data_width", 65)
    tab.press("hnw_dataset_look_button")
    tab.wait_for_text("hnw_dataset_status", "Picture width: must be a multiple of 8, not 65")
    assert count(tab, "#hnw_dataset_cards .hnw-card") == 16
    tab.fill("hnw_dataset_data_width", 64)


def test_problems_are_named_and_lead_to_their_picture(tab: Page, folder: Path):
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "twin.png").write_bytes((folder / "01-red-triangle.png").read_bytes())
    said = look(tab)
    assert "Unreadable (1)" in said
    assert "Duplicate (1)" in said
    assert "No caption (1)" in said
    buttons = "return [...document.querySelectorAll('.hnw-problems button')].find((b) => b.textContent === 'twin.png')"
    tab.driver.execute_script(
        "document.querySelectorAll('#hnw_dataset_overview details').forEach((d) => d.open = true)"
    )
    tab.press(tab.driver.execute_script(buttons))
    tab.wait_for_text("hnw_dataset_chosen", "twin.png")
    tab.wait_for_text("hnw_dataset_chosen", "is the same file as 01-red-triangle.png")
    (folder / "broken.png").unlink()
    (folder / "twin.png").unlink()


def test_captions_in_another_encoding_are_named_converted_and_given_back(tab: Page, folder: Path):
    before = texts(folder)
    names = sorted(before)[:3]
    for name, caption in zip(names, ("夜の街、雨が降る", "青い目の少女、傘", "夕焼けの橋の上"), strict=True):
        (folder / name).write_bytes(caption.encode("cp932"))
    held = texts(folder)
    said = look(tab)
    assert "13 can be used, 3 left out" in said
    assert "it is not UTF-8 but Japanese text in Shift-JIS: “夜の街、雨が降る”" in said
    unfold(tab, "conversion")
    tab.press("hnw_dataset_conversion_button")
    tab.wait_for_text("hnw_dataset_conversion_status", "Done: convert to UTF-8 (3 caption files)")
    tab.until("the end of the progress bar", lambda: count(tab, "#hnw_dataset_tab .progressDiv") == 0)
    tab.wait_for_text("hnw_dataset_overview", "16 can be used")
    assert (folder / names[0]).read_text(encoding="utf-8") == "夜の街、雨が降る"
    tab.press("hnw_dataset_undo_button")
    tab.wait_for_text("hnw_dataset_undo_status", "Undone: convert to UTF-8")
    assert texts(folder) == held
    for name, caption in before.items():
        (folder / name).write_bytes(caption)
    look(tab)


def test_captions_of_one_long_tag_each_keep_the_pictures_near(tab: Page, folder: Path):
    before = texts(folder)
    for number, name in enumerate(before):
        (folder / name).write_text(
            f"a sentence about the hills without a comma, number {number}; ".replace(",", "") * 12
        )
    try:
        look(tab)
        tab.press(tab.find("#hnw_dataset_cards .hnw-card[data-number='4']"))
        tab.until("its tag", lambda: "a sentence about" in tab.text("hnw_dataset_tag_editor"))
        height = "return document.querySelector(arguments[0]).getBoundingClientRect().height"
        limits = {
            ".hnw-scroll:has(.hnw-tags)": 320,
            "#hnw_dataset_tag_editor .hnw-chips": 180,
            ".hnw-card > span:not([class])": 120,
        }
        found = {selector: tab.driver.execute_script(height, selector) for selector in limits}
        assert [selector for selector, limit in limits.items() if found[selector] > limit] == []
    finally:
        for name, text in before.items():
            (folder / name).write_bytes(text)
    look(tab)


def test_the_settings_go_to_train_gamma(tab: Page, folder: Path):
    tab.press("hnw_dataset_give_button")
    tab.tab("Train Gamma")
    tab.until("the folder in Train Gamma", lambda: tab.value("hnw_train_data_folder") == str(folder))
    tab.wait_for_value("hnw_train_data_framing", "buckets")
    tab.fill("hnw_train_data_batch_size", 3)
    tab.tab("Dataset")
    tab.press("hnw_dataset_take_button")
    tab.until("the batch size of Train Gamma", lambda: tab.value("hnw_dataset_data_batch_size") == "3")


def test_the_demo_itself_can_be_looked_at(tab: Page, screenshots: Path | None):
    tab.fill("hnw_dataset_data_batch_size", 4)
    tab.fill("hnw_dataset_data_folder", "examples/night")
    look(tab)
    tab.press(tab.find("#hnw_dataset_cards .hnw-card[data-number='6']"))
    tab.wait_for_text("hnw_dataset_chosen", "examples/night/07-purple-square.png")
    tab.until("the end of the progress bar", lambda: count(tab, "#hnw_dataset_tab .progressDiv") == 0)
    if screenshots:
        for name in ("framing", "tags"):
            tab.press(tab.find(f"#hnw_dataset_{name} > .label-wrap"))
        tab.driver.execute_script("document.querySelector('.hnw-tags').closest('details').open = false")
        tab.screenshots(screenshots / "dataset.png")


def test_the_tab_made_no_error(tab: Page):
    assert tab.own_errors() == []
