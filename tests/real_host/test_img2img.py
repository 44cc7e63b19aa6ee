"""The rows of hypernetworks beside img2img of the real WebUI: as those beside txt2img."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from tests.browser import page as browser
from tests.real_host.webui import WebUI
from tests.real_host.workplace import ROOT

IN_SIGHT = "return !!document.querySelector(arguments[0])?.offsetParent"
PICTURE = ROOT / "examples" / "night" / "01-red-triangle.png"


@pytest.fixture(scope="module")
def page(browsed: browser.Page) -> browser.Page:
    """Return the WebUI in Chromium, with its tab img2img open and a picture in it."""
    browsed.tab("img2img")
    browsed.until("our rows", lambda: browsed.driver.execute_script(IN_SIGHT, "#hnw_generation_img2img"))
    browsed.driver.find_element(By.CSS_SELECTOR, "#img2img_image input[type=file]").send_keys(str(PICTURE))
    browsed.until(
        "the picture", lambda: browsed.driver.execute_script(IN_SIGHT, "#img2img_image img, #img2img_image canvas")
    )
    for name, value in (("prompt", "a red circle"), ("steps", 3), ("width", 64), ("height", 64)):
        browsed.fill(f"img2img_{name}", value)
    return browsed


def point_at_the_list(page: browser.Page) -> None:
    field = page.find("#hnw_picker_img2img input")
    page.driver.execute_script("document.activeElement.blur(); arguments[0].scrollIntoView({block: 'center'})", field)
    ActionChains(page.driver).move_to_element(page.find("#hnw_add_img2img")).move_to_element(field).perform()


def test_a_file_that_comes_is_listed_and_used_and_what_is_not_used_is_told(page: browser.Page, host: WebUI) -> None:
    path = Path(host.folder) / "models" / "hypernetworks" / "later.pt"
    path.parent.mkdir(exist_ok=True)
    files.save(Hypernetwork.create(Structure(init_std=0.2), (96, 64, 128), 1), path)
    point_at_the_list(page)
    page.choose("hnw_picker_img2img", "later")
    page.fill("hnw_strength_img2img", 0.5)
    page.press("hnw_add_img2img")
    page.until("a second row", lambda: page.driver.execute_script(IN_SIGHT, "#hnw_row_2_img2img"))
    page.enter("hnw_picker_2_img2img", "gone")
    page.press("img2img_generate")
    assert "<hypernet:later:0.5>" in page.wait_for_text("html_info_img2img", 'Hypernetwork 1: "later:0.5"', seconds=120)
    page.wait_for_text("html_log_img2img", "Hypernetwork gone was not used: there is no hypernetwork of this name.")
    path.unlink()
    point_at_the_list(page)
    page.wait_for_text("hnw_rows_gone_img2img", "Hypernetwork later, which a row has, is not in your folder.")
