"""The page in Japanese: chosen in the settings, shown after Reload UI, and taken back the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

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
