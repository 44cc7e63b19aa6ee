"""Whoever presses a button sees the answer, on a narrow page too: it is in sight, or the page goes to it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from selenium.webdriver.common.by import By

from tests.browser import layout
from tests.browser.conftest import Server
from tests.browser.page import Page
from tests.sources import ROOT

NETWORK = "answers"
PICTURES = "pictures of answers"
#: The presses of each tab: the button, and where it answers.
PRESSES = (
    ("create", "hnw_create_save", "hnw_create_saved"),
    ("create", "hnw_create_button", "hnw_create_status"),
    ("train", "hnw_train_check", "hnw_train_status"),
    ("train", "hnw_train_save", "hnw_train_saved"),
    ("runs", "hnw_runs_show", "hnw_runs_status"),
    ("runs", "hnw_runs_board", "hnw_runs_status"),
    ("inspect", "hnw_inspect_compare_button", "hnw_inspect_comparison"),
    ("inspect", "hnw_inspect_convert_button", "hnw_inspect_convert_status"),
    ("inspect", "hnw_inspect_notes_button", "hnw_inspect_notes_status"),
    ("merge", "hnw_merge_button", "hnw_merge_status"),
    ("merge", "hnw_merge_predict", "hnw_merge_status"),
    ("merge", "hnw_merge_composition_save", "hnw_merge_composition_status"),
    ("merge", "hnw_merge_bake_button", "hnw_merge_bake_status"),
    ("dataset", "hnw_dataset_give_button", "hnw_dataset_train_status"),
    ("dataset", "hnw_dataset_look_button", "hnw_dataset_overview"),
    ("dataset", "hnw_dataset_tags_button", "hnw_dataset_tags_status"),
    ("dataset", "hnw_dataset_copies_button", "hnw_dataset_copies_status"),
    ("dataset", "hnw_dataset_add_first_button", "hnw_dataset_selected_status"),
)
#: Puts a button where what follows it is out of sight; one that stays in sight, at the end of the page.
FAR = """
const [button] = arguments;
document.dispatchEvent(new Event("wheel")); // as whoever scrolls does: the page goes nowhere by itself any more
window.scrollTo(0, document.documentElement.scrollHeight);
if (!button.closest(".hnw-controls")) button.scrollIntoView({block: "end", behavior: "instant"});
"""
#: Whether the beginning of an answer is in sight and nothing lies over it.
SEEN = """
const element = document.querySelector(`.prose#${arguments[0]}`) ?? document.querySelector(`#${arguments[0]}`);
const {left, top, bottom, width} = element.getBoundingClientRect();
if (!element.innerText.trim() || top < 0 || Math.min(bottom, top + 100) > window.innerHeight) return false;
return element.contains(document.elementFromPoint(left + width / 2, top + Math.min(12, (bottom - top) / 2)));
"""
SPEAKS = """
const said = document.querySelector(`.prose#${arguments[0]}`) ?? document.querySelector(`#${arguments[0]}`);
return said?.innerText.trim();
"""
#: Presses, goes on to a field and begins to type there, at once: no answer can come before.
PRESS_AND_TYPE = """
const [button, field] = arguments;
button.click();
field.scrollIntoView({block: "center", behavior: "instant"});
field.focus({preventScroll: true});
field.dispatchEvent(new KeyboardEvent("keydown", {key: "t", bubbles: true}));
"""
IN_SIGHT = "return [...document.querySelectorAll(arguments[0])].some((one) => one.offsetParent !== null)"


@pytest.fixture(scope="module")
def tab(page: Page, server: Server) -> Iterator[Page]:
    """Return the page with a network; afterwards it is anew."""
    path = server.data / "models" / "hypernetworks" / f"{NETWORK}.pt"
    files.save(Hypernetwork.create(Structure(init_std=0.1), (96, 64, 128), 0), path)
    pictures = server.data / PICTURES
    shutil.copytree(ROOT / "examples" / "night", pictures)
    page.anew()
    page.tab("Train")
    page.fill("hnw_dataset_data_folder", pictures)
    yield page
    for made in path.parent.glob("*.pt"):
        made.unlink()
    page.leave()


def press(page: Page, id_: str) -> None:
    """Press a button as a person does, with nothing of what it answers in sight before."""
    button = page.find(f"#{id_}")
    page.driver.execute_async_script(layout.CALM)
    page.driver.execute_script(FAR, button)
    page.driver.execute_async_script(layout.CALM)
    button.click()


def test_without_pictures_nothing_offers_to_change_them(tab: Page):
    tab.driver.execute_script(layout.OPEN, "hnw_dataset_tab")
    for hidden in ("#hnw_dataset_selection", "#hnw_dataset_show", "#hnw_dataset_undo_button", "#hnw_dataset_cards"):
        assert not tab.driver.execute_script(IN_SIGHT, hidden)
    assert "Press Look" in tab.text("hnw_dataset_overview")


@pytest.mark.parametrize("width_px", [420, pytest.param(1024, marks=pytest.mark.long)])
def test_the_answer_to_a_press_is_in_sight(tab: Page, width_px: int):
    unseen = []
    with layout.wide(tab.driver, width_px):
        for name, button, place in PRESSES:
            tab.driver.execute_script(layout.OPEN, f"hnw_{name}_tab")
            tab.driver.execute_script(layout.UNFOLD, f"hnw_{name}_tab", True)
            tab.driver.execute_async_script(layout.CALM)
            if name == "inspect" and not tab.value("hnw_inspect_file"):
                tab.press("hnw_inspect_refresh")
                tab.choose("hnw_inspect_file", NETWORK)
                tab.choose("hnw_inspect_compare_other", NETWORK)
            press(tab, button)
            said = "hnw_dataset_status" if place == "hnw_dataset_overview" else place
            tab.until(f"an answer to {button}", lambda said=said: tab.driver.execute_script(SPEAKS, said))
            try:
                tab.until("an answer in sight", lambda place=place: tab.driver.execute_script(SEEN, place), 6)
            except TimeoutError:
                unseen.append(button)
    assert unseen == []
    assert tab.driver.execute_script(IN_SIGHT, "#hnw_dataset_selection")


def test_the_report_follows_the_choice_of_the_network(tab: Page):
    with layout.wide(tab.driver, 420):
        tab.driver.execute_script(layout.OPEN, "hnw_inspect_tab")
        tab.driver.execute_script("window.scrollTo(0, 0)")
        tab.until("the report in sight", lambda: tab.driver.execute_script(SEEN, "hnw_inspect_report"), 5)


def test_who_types_meanwhile_is_not_led_away(tab: Page, server: Server):
    with layout.wide(tab.driver, 420):
        tab.driver.execute_script(layout.OPEN, "hnw_train_tab")
        tab.driver.execute_script(layout.UNFOLD, "hnw_train_tab", True)
        tab.choose("hnw_train_network_file", NETWORK)
        tab.fill("hnw_train_data_folder", server.data / PICTURES)
        field = tab.find("#hnw_train_output_author textarea, #hnw_train_preview_prompt textarea")
        tab.driver.execute_async_script(layout.CALM)
        tab.driver.execute_script(PRESS_AND_TYPE, tab.find("#hnw_train_check"), field)
        tab.until(
            "the answer", lambda: "steps per epoch" in (tab.driver.execute_script(SPEAKS, "hnw_train_status") or "")
        )
        field.send_keys("typed")
        time.sleep(1)
        assert tab.driver.execute_script("return document.activeElement === arguments[0]", field)
        top = tab.driver.execute_script("return arguments[0].getBoundingClientRect().top", field)
        assert 0 < top < layout.HEIGHT_PX


def test_the_scripts_made_no_error(tab: Page):
    assert tab.own_errors() == []
    assert tab.driver.find_elements(By.CSS_SELECTOR, "#hnw_dataset_tab")
