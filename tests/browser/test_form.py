"""The form of Train Gamma: found by a word, changed and brought back, short or whole, its long help folded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Server
from tests.browser.page import Page
from tests.sources import ROOT

pytestmark = pytest.mark.story

SEARCH = """
const field = document.querySelector("#hnw_train_contents .hnw-search");
field.value = arguments[0];
field.dispatchEvent(new Event("input", {bubbles: true}));
"""
FIELDS = """
return [...document.querySelectorAll("#hnw_train_fields [data-field]")].map((one) => one.dataset.field)
    .filter((id) => document.getElementById(id).offsetHeight > 0).map((id) => id.replace("hnw_train_", ""));
"""
OPEN = "return [...document.querySelectorAll('#hnw_train_fields .label-wrap.open')].map((one) => one.parentElement.id)"
CHANGED = "return document.getElementById(arguments[0]).hasAttribute('data-own')"
SEEN = "return document.querySelector(arguments[0]).offsetHeight > 0"
CLICK = "document.querySelector(arguments[0]).click()"


@pytest.fixture(scope="module")
def tab(page: Page) -> Iterator[Page]:
    """Return the tab, and the page anew afterwards."""
    reopen(page)
    yield page
    page.driver.execute_script("localStorage.removeItem('hnw_view')")
    page.leave()


def reopen(page: Page) -> None:
    page.anew()
    page.tab("Train")
    page.tab("Train Gamma")
    page.find("#hnw_train_fields[data-view]")


def found(page: Page, words: str) -> list[str]:
    page.driver.execute_script(SEARCH, words)
    return page.driver.execute_script(FIELDS)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("gradient accum", "train_gradient_accumulation"),
        ("Optimizer STEPS of the whole", "train_max_steps"),
        ("preview.cfg_scale", "preview_cfg_scale"),
        ("ｃａｐｔｉｏｎ dropout", "data_caption_dropout"),
    ],
)
def test_a_setting_is_found_by_label_help_and_name_in_a_file(tab: Page, words: str, field: str):
    before, were_open = found(tab, ""), tab.driver.execute_script(OPEN)
    hits = tab.until("the setting", lambda: field in (now := found(tab, words)) and now)
    assert len(hits) < 5
    assert found(tab, "no such thing") == []
    assert tab.driver.execute_script(SEEN, "#hnw_train_contents .hnw-none")
    tab.until("the whole form", lambda: found(tab, "") == before)
    assert tab.driver.execute_script(OPEN) == were_open
    assert not tab.driver.execute_script(SEEN, "#hnw_train_contents .hnw-none")


def test_the_contents_open_their_part(tab: Page):
    tab.driver.execute_script(CLICK, "[data-fold=hnw_train_loss]")
    tab.until("the fold", lambda: "hnw_train_loss" in tab.driver.execute_script(OPEN))
    tab.driver.execute_script(CLICK, "#hnw_train_loss > .label-wrap")


def test_what_has_not_its_default_is_marked_and_brought_back(tab: Page):
    field = "hnw_train_train_gradient_accumulation"
    assert not tab.driver.execute_script(CHANGED, field)
    tab.fill(field, 4)
    tab.until("the mark", lambda: tab.driver.execute_script(CHANGED, field))
    tab.driver.execute_script(CLICK, f"#{field} .hnw-reset")
    tab.until("the default", lambda: tab.value(field) == "1")
    tab.until("the end of the mark", lambda: not tab.driver.execute_script(CHANGED, field))


def test_a_recipe_marks_what_it_changes(tab: Page):
    field, other = "hnw_train_schedule_kind", "hnw_train_train_gradient_accumulation"
    started = tab.value(field)
    assert not tab.driver.execute_script(CHANGED, field)
    tab.choose("hnw_train_preset", "Three rates")
    tab.until("the kind of the recipe", lambda: tab.value(field) == "steps" != started)
    tab.until("the mark", lambda: tab.driver.execute_script(CHANGED, field))
    assert not tab.driver.execute_script(CHANGED, other)


def test_the_short_view_is_remembered(tab: Page):
    whole = found(tab, "")
    tab.driver.execute_script(CLICK, "#hnw_train_contents [data-view=basic]")
    assert not tab.driver.execute_script(SEEN, "#hnw_train_loss")
    reopen(tab)
    assert not tab.driver.execute_script(SEEN, "#hnw_train_loss")
    assert "preview_cfg_scale" in tab.until("a setting out of sight", lambda: found(tab, "preview.cfg_scale"))
    found(tab, "")
    tab.driver.execute_script(CLICK, "#hnw_train_contents [data-view=all]")
    assert tab.driver.execute_script(SEEN, "#hnw_train_loss")
    assert found(tab, "") == whole


def test_a_long_help_is_folded_behind_a_mark(tab: Page):
    mark, help_ = "#hnw_train_schedule_kind .hnw-help", "#hnw_train_schedule_kind .has-info + div"
    assert not tab.driver.execute_script(SEEN, help_)
    tab.driver.execute_script(CLICK, mark)
    assert tab.driver.execute_script(SEEN, help_)
    assert tab.find(mark).get_attribute("aria-expanded") == "true"
    tab.driver.execute_script(CLICK, mark)
    assert not tab.driver.execute_script(SEEN, help_)
    short = "#hnw_train_fields [data-marked]:not(:has(.hnw-help)) .has-info + div"
    assert [one for one in tab.driver.find_elements("css selector", short) if not one.get_attribute("hidden")]


def test_fields_side_by_side_fold_their_help_together_and_stand_at_one_height(tab: Page):
    top = "return document.querySelector(`#hnw_train_data_${arguments[0]} input`).getBoundingClientRect().top"
    assert tab.driver.execute_script(top, "width") == tab.driver.execute_script(top, "height")


def test_a_folder_is_chosen_with_the_keyboard(tab: Page, server: Server):
    shutil.copytree(ROOT / "examples" / "night", server.data / "datasets" / "chosen")
    field, before = "hnw_train_data_folder", tab.value("hnw_train_data_folder")
    tab.fill(field, server.data / "datasets")
    tab.driver.execute_script(CLICK, f"#{field} .hnw-choose")
    dialog = tab.find("#hnw_train_fields dialog[open]")
    tab.until("the folder", lambda: "chosen" in dialog.text)
    keys = ActionChains(tab.driver)
    keys.send_keys(Keys.ARROW_DOWN, Keys.ENTER).perform()
    tab.until("what it holds", lambda: "16 pictures" in dialog.text)
    keys.send_keys(Keys.BACKSPACE).perform()
    tab.until("the folder above", lambda: "chosen" in dialog.text and "pictures" not in dialog.text)
    keys.send_keys(Keys.ARROW_DOWN, Keys.ENTER).perform()
    tab.until("what it holds", lambda: "16 pictures" in dialog.text)
    tab.driver.execute_script("document.querySelector('dialog[open] .hnw-take').click()")
    tab.wait_for_value(field, str(server.data / "datasets" / "chosen"))
    tab.driver.execute_script(CLICK, f"#{field} .hnw-choose")
    tab.until("the dialog", lambda: tab.driver.find_elements("css selector", "dialog[open]"))
    keys.send_keys(Keys.ESCAPE).perform()
    tab.until("its end", lambda: not tab.driver.find_elements("css selector", "dialog[open]"))
    tab.fill(field, before)


def test_the_scripts_made_no_error(tab: Page):
    assert tab.own_errors() == []
