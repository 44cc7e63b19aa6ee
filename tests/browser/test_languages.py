"""The page in Japanese: chosen in the settings, shown after Reload UI, and taken back the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from tests import sources
from tests.browser.page import Page

LANGUAGE = "ja_JP"


@pytest.fixture(scope="module")
def text() -> dict[str, str]:
    """Return the translations of our texts and the embedded host's."""
    folders = (sources.ROOT / "localizations", sources.ROOT / "standalone" / "localizations")
    tables = [json.loads((folder / f"{LANGUAGE}.json").read_text(encoding="utf-8")) for folder in folders]
    return tables[0] | tables[1]


def choose(page: Page, language: str, labels: dict[str, str]) -> None:
    """Chooses a language in the settings and reloads the page; `labels` are those of the page as it is now."""
    page.tab(labels.get("Settings", "Settings"))
    page.tab(labels.get("Language", "Language"))
    page.choose("setting_localization", language)
    page.press("settings_submit")
    page.until("the setting to be kept", lambda: page.text("settings_result"))
    page.press("settings_restart_gradio")
    page.until("the page to go", lambda: page.driver.find_elements("id", "reloading"))
    page.find("#hnw_train_tab")


def written(page: Page) -> str:
    """Return the text of the open tab, folded help included."""
    return page.driver.execute_script("return document.querySelector('#hnw_create_tab').textContent")


@pytest.fixture
def japanese(page: Page, text: dict[str, str]) -> Iterator[Page]:
    """Return the page in Japanese."""
    choose(page, LANGUAGE, {})
    yield page
    choose(page, "None", text)
    page.tab("txt2img")


def test_the_page_speaks_japanese_after_reload_ui(japanese: Page, text: dict[str, str]):
    page = japanese
    page.tab(text["Train"])
    page.tab(text["Create Beta Hypernetwork"])
    for english in (
        "Layer structure",
        "The nonlinear function between the layers; linear has none.",
        "Create hypernetwork",
    ):
        page.until(text[english], lambda english=english: text[english] in written(page))
        assert english not in written(page)
    page.fill("hnw_create_layer_structure", "1, 2")
    expected = text["must start and end with 1, not {}"].replace("{1}", "[1.0, 2.0]")
    page.wait_for_text("hnw_create_layer_structure_problem", expected)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", f"{text['Layer structure']}：{expected}")
    page.fill("hnw_create_layer_structure", "1, 2, 1")
    assert page.own_errors() == []


#: The words in each closed list of ours, and the value that gradio has.
CLOSED = """
const shown = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").get;
return [...document.querySelectorAll("[id^=hnw_] .secondary-wrap input")]
  .map((field) => [field.closest("[id^=hnw_]").id, shown.call(field), field.value]);
"""


def closed(page: Page) -> dict[str, tuple[str, str]]:
    """Return what each closed list shows, and its value, by id."""
    return {id_: (words, value) for id_, words, value in page.driver.execute_script(CLOSED)}


def test_closed_lists_show_japanese_and_keep_their_values(japanese: Page, text: dict[str, str]):
    page = japanese
    page.tab(text["Train"])
    page.tab(text["Train Gamma"])
    page.until("the lists", lambda: closed(page)["hnw_train_preset"][0] == "自分の設定")
    lists = closed(page)
    names = {id_ for id_, (words, _) in lists.items() if words == "None"}
    english = {id_: words for id_, (words, _) in lists.items() if text.get(words, words) != words}
    assert english == {}
    assert lists["hnw_dataset_show"] == ("すべての画像", "all pictures")
    assert lists["hnw_dataset_tag"] == (text["with any tags"], "with any tags")
    assert names >= {"hnw_picker", "hnw_merge_network_3"}
    page.choose("hnw_train_preset", "Three rates")
    page.until("the rates", lambda: closed(page)["hnw_train_schedule_kind"] == (text["steps"], "steps"))
    # Fields that are filled one after the other are judged in between, too.
    page.until("the preset", lambda: closed(page)["hnw_train_preset"] == (text["Three rates"], "Three rates"))
    field = page.find("#hnw_train_schedule_kind input")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
    field.click()
    field.send_keys("poly", Keys.ENTER)
    page.until("the choice", lambda: closed(page)["hnw_train_schedule_kind"] == (text["polynomial"], "polynomial"))
    page.until("its own settings", lambda: closed(page)["hnw_train_preset"] == ("自分の設定", "Own settings"))
    assert page.own_errors() == []


def test_names_in_lists_stay_as_they_are(japanese: Page, text: dict[str, str], tmp_path: Path):
    page = japanese
    for number, tag in enumerate(("random", "sort")):
        Image.new("RGB", (64, 64), (90 * number, 40, 160)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(tag, encoding="utf-8")
    page.tab(text["Train"])
    page.tab(text["Dataset"])
    page.fill("hnw_dataset_data_folder", str(tmp_path))
    page.press("hnw_dataset_look_button")
    page.wait_for_text("hnw_dataset_status", "2 枚")
    page.driver.execute_script("arguments[0].focus()", page.find("#hnw_dataset_tag input"))
    items = "return [...document.querySelectorAll('#hnw_dataset_tag li')].map((one) => one.textContent)"
    offered = page.until("the tags", lambda: page.driver.execute_script(items))
    assert {"random (1)", "sort (1)"} <= {one.replace("✓", "").strip() for one in offered}
    page.choose("hnw_dataset_tag", "random (1)")
    page.until(
        "one picture", lambda: len(page.driver.find_elements("css selector", "#hnw_dataset_cards .hnw-card")) == 1
    )
    page.until("the tag", lambda: closed(page)["hnw_dataset_tag"] == ("random (1)", "random (1)"))
    assert closed(page)["hnw_dataset_show"][0].startswith("すべての画像")
