"""The tab Dataset on the keyboard: going on, saving, tags, and pictures that are selected together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Server
from tests.browser.page import Page
from tests.browser.test_dataset import look, texts
from tests.sources import ROOT

pytestmark = pytest.mark.story

SHOWN = "return document.querySelector('.hnw-chosen')?.dataset.number ?? ''"
CAPTION_LOCKED = "document.querySelector('#hnw_dataset_caption textarea').readOnly"
#: Enters a tag while the caption is locked, and notes what is then left in its field.
TAG_MEANWHILE = """
const tagField = document.querySelector(".hnw-tag-editor input");
tagField.value = "fog";
tagField.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
window.tagMeanwhile = tagField.value;
"""
SELECTED = "return document.querySelectorAll('.hnw-cell > input:checked').length"


@pytest.fixture(scope="module")
def folder(server: Server) -> Path:
    """Return a copy of the demo's pictures with Japanese names."""
    place = server.data / "夜の絵"
    place.mkdir()
    for path in (ROOT / "examples" / "night").iterdir():
        shutil.copyfile(path, place / f"絵{path.name}")
    return place


@pytest.fixture(scope="module")
def tab(page: Page, folder: Path) -> Iterator[Page]:
    page.tab("Train")
    page.tab("Dataset")
    page.fill("hnw_dataset_data_folder", folder)
    look(page)
    yield page
    page.leave()


def press(tab: Page, *keys: str) -> None:
    tab.driver.switch_to.active_element.send_keys(*keys)


def is_shown(tab: Page, number: int) -> bool:
    return tab.until(f"picture {number}", lambda: tab.driver.execute_script(SHOWN) == str(number))


def caption(tab: Page):
    return tab.find("#hnw_dataset_caption textarea")


def test_keys_go_on_and_save_and_nothing_typed_is_lost(tab: Page, folder: Path):
    first = tab.find("#hnw_dataset_cards .hnw-card[data-number='0']")
    tab.driver.execute_script("arguments[0].focus()", first)
    press(tab, Keys.ENTER)
    is_shown(tab, 0)
    tab.until("a caption to type into", lambda: not caption(tab).get_attribute("readonly"))
    caption(tab).send_keys(", 猫")
    caption(tab).send_keys(Keys.ALT, Keys.ARROW_DOWN)
    is_shown(tab, 1)
    assert (folder / "絵01-red-triangle.txt").read_text(encoding="utf-8").strip().endswith(", 猫")
    tab.until("a caption to type into", lambda: not caption(tab).get_attribute("readonly"))
    caption(tab).send_keys(", 犬")
    caption(tab).send_keys(Keys.CONTROL, "s")
    tab.wait_for_text("hnw_dataset_save_status", "Done: caption of ")
    assert sum(b"\xe7\x8a\xac" in text for text in texts(folder).values()) == 1
    tab.driver.execute_script("document.activeElement.blur()")
    press(tab, Keys.ARROW_RIGHT)
    is_shown(tab, 2)
    press(tab, Keys.ARROW_LEFT)
    is_shown(tab, 1)


def test_a_tag_is_added_and_removed_beside_the_caption(tab: Page):
    tab.until("a caption to type into", lambda: not caption(tab).get_attribute("readonly"))
    tab.find(".hnw-tag-editor input").send_keys("snow", Keys.ENTER)
    tab.until("the tag", lambda: tab.value("hnw_dataset_caption").endswith(", snow"))
    tab.press(tab.find(".hnw-chips button[aria-label='Remove the tag 犬']"))
    tab.until("no tag", lambda: "犬" not in tab.value("hnw_dataset_caption"))
    assert tab.value("hnw_dataset_caption").endswith(", snow")


def test_pictures_are_selected_with_keys_and_shift_and_tagged_together(tab: Page, folder: Path):

    def is_selected() -> bool:
        # The cards are drawn anew once what was done before is written.
        tab.driver.execute_script("arguments[0].focus()", tab.find("#hnw_dataset_cards .hnw-card[data-number='3']"))
        press(tab, Keys.SPACE)
        return tab.driver.execute_script(SELECTED) == 1

    tab.until("one selected picture", is_selected)
    press(tab, Keys.SHIFT, Keys.ARROW_RIGHT)
    assert tab.driver.execute_script(SELECTED) == 2
    box = tab.find(".hnw-cell > input[data-number='6']")
    event = "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, shiftKey: true}))"
    tab.driver.execute_script(event, box)
    assert tab.driver.execute_script(SELECTED) == 4
    tab.until("the number", lambda: "4 selected" in tab.text("hnw_dataset_selection"))
    tab.fill("hnw_dataset_tags_of_selected", "霧")
    tab.press("hnw_dataset_add_last_button")
    tab.wait_for_text("hnw_dataset_selected_status", "Done: add 霧 (4 caption files)")
    assert sum("霧".encode() in text for text in texts(folder).values()) == 4
    press(tab, Keys.ESCAPE)


def test_the_page_size_is_remembered_and_all_that_match_are_selected(tab: Page):
    tab.fill("hnw_dataset_per_page", 5)
    tab.until("five pictures", lambda: "Page 1 of 4" in tab.text("hnw_dataset_pager"))
    links = "return [...document.querySelectorAll('.hnw-selection button')]"
    none, every = tab.driver.execute_script(links)[2], tab.driver.execute_script(links)[1]
    tab.press(none)
    tab.press(every)
    tab.until("all of them", lambda: "16 selected" in tab.text("hnw_dataset_selection"))
    assert tab.driver.execute_script("return localStorage.getItem('hnw_dataset_per_page')") == "5"
    tab.driver.execute_script("localStorage.removeItem('hnw_dataset_per_page')")


def test_a_picture_that_is_picked_during_a_look_opens_after_it_and_the_looks_message_stays(tab: Page):
    """What would be typed meanwhile could not be kept: the look brings the captions anew."""
    card = "const card = document.querySelector(\"#hnw_dataset_cards .hnw-card[data-number='2']\");"
    look_and_pick = "document.querySelector('#hnw_dataset_look_button').click();" + card + "card.click();"
    tab.driver.execute_script(f"{look_and_pick} window.lockedInLook = {CAPTION_LOCKED}; {TAG_MEANWHILE}")
    assert tab.driver.execute_script("return lockedInLook")
    assert tab.driver.execute_script("return tagMeanwhile") == "fog", "it is not lost"
    is_shown(tab, 2)
    tab.until("a caption to type into", lambda: not caption(tab).get_attribute("readonly"))
    assert "pictures were found" in tab.text("hnw_dataset_status")


def test_the_editor_made_no_error(tab: Page):
    assert tab.own_errors() == []
