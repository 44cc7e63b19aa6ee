"""Lists of networks: what came into the folder is there without a press, what is gone is told, and so is what had no
effect on a picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from selenium.webdriver import ActionChains

from tests.browser.conftest import Server
from tests.browser.page import Page

OPEN = "document.activeElement.blur(); arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()"
SHOWN = "return [...document.querySelectorAll(`#${arguments[0]} li`)].map((one) => one.textContent)"
WIDTHS = (96, 64, 128)  # of the demo's model
#: A list, with its tab and where the page says that what it has is gone.
LISTS = {
    "hnw_picker": (("txt2img",), "hnw_rows_gone"),
    "hnw_train_network_file": (("Train", "Train Gamma"), "hnw_train_network_file_problem"),
    "hnw_inspect_file": (("Train", "Inspect Hypernetwork"), "hnw_inspect_status"),
    "hnw_merge_network_1": (("Train", "Merge Hypernetworks"), "hnw_merge_network_1_problem"),
}


@pytest.fixture(scope="module")
def networks(page: Page, server: Server) -> Iterator[Path]:
    """Return the folder of the networks; the page as it was before once the tests are over."""
    page.anew()
    page.tab("txt2img")
    yield server.data / "models" / "hypernetworks"
    page.leave()


def save(folder: Path, name: str, widths: tuple[int, ...] = WIDTHS) -> Path:
    path = folder / f"{name}.pt"
    files.save(Hypernetwork.create(Structure(init_std=0.1), widths, 0), path)
    return path


def shown(page: Page, list_: str) -> str:
    """Return the names in an open list, one a line."""
    return "\n".join(page.driver.execute_script(SHOWN, list_))


def point_at(page: Page, list_: str) -> None:
    field = page.find(f"#{list_} input")
    page.driver.execute_script("document.activeElement.blur(); arguments[0].scrollIntoView({block: 'center'})", field)
    ActionChains(page.driver).move_to_element(page.find(".tab-nav button")).move_to_element(field).perform()


@pytest.mark.parametrize("list_", LISTS)
def test_a_file_that_comes_is_in_the_list_and_one_that_goes_is_told(page: Page, networks: Path, list_: str):
    tabs, place = LISTS[list_]
    for tab in tabs:
        page.tab(tab)
    name = f"by hand for {list_}"
    path = save(networks, name)
    point_at(page, list_)
    page.choose(list_, name)
    path.unlink()
    point_at(page, list_)
    page.wait_for_text(place, name)


@pytest.mark.parametrize("list_", LISTS)
def test_a_list_that_is_open_shows_what_comes_without_a_key(page: Page, networks: Path, list_: str):
    for tab in LISTS[list_][0]:
        page.tab(tab)
    field = page.find(f"#{list_} input")
    page.driver.execute_script(OPEN, field)
    text, path = field.get_property("value"), save(networks, f"while {list_} is open")
    refresh = f"#{'_'.join(list_.split('_')[:2])}_refresh"

    def is_shown() -> bool:
        # gradio drops a press that comes while one before it is not answered.
        page.driver.execute_script("document.querySelector(arguments[0]).click()", refresh)
        time.sleep(0.5)
        return path.stem in shown(page, list_)

    page.until("the new name", is_shown)
    assert page.driver.execute_script("return document.activeElement === arguments[0]", field)
    assert field.get_property("value") == text
    another = save(networks, f"again while {list_} is open")
    page.until("a name beside others", lambda: is_shown() and another.stem in shown(page, list_))
    path.unlink()
    another.unlink()
    page.driver.execute_script("arguments[0].blur()", field)


def test_what_had_no_effect_is_told_under_the_picture(page: Page, networks: Path):
    save(networks, "strange", (7,))
    page.tab("txt2img")
    page.fill("txt2img_steps", 2)
    page.fill("txt2img_prompt", "a circle<hypernet:strange:1><hypernet:gone:1>")
    page.press("txt2img_generate")
    told = page.wait_for_text("html_log_txt2img", "was not used")
    assert "Hypernetwork strange was not used: it is made for layers of width 7, and this checkpoint has 96" in told
    assert "Hypernetwork gone was not used: there is no hypernetwork of this name" in told
