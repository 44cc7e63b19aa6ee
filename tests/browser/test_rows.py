"""Rows of hypernetworks beside txt2img: added, ordered, used, written into the infotext and read from it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure

from tests.browser import layout
from tests.browser.conftest import Server
from tests.browser.page import Page

pytestmark = pytest.mark.story

WIDTHS = (96, 64, 128)  # of the demo's model
PROMPT = "a red circle on a white background"
DROP = """fetch(arguments[0]).then((answer) => answer.blob()).then((blob) => {
    const data = new DataTransfer();
    data.items.add(new File([blob], "dropped.png", {type: "image/png"}));
    const field = document.querySelector("#txt2img_prompt textarea");
    field.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
});"""
#: What stands over the edge of its field, and the buttons of a row that no field stands beside.
OUT_OF_PLACE = """
const row = document.querySelector(".hnw-row"), box = (one) => one.getBoundingClientRect();
const over = [...row.querySelectorAll(".block input, .block label > span")]
    .filter((one) => box(one).right > box(one.closest(".block")).right - 4);
const alone = [...row.querySelectorAll("button.tool")]
    .filter((one) => ![...row.querySelectorAll(".block")].some((field) => box(field).top === box(one).top));
return [...over, ...alone].map((one) => one.id || one.outerHTML);
"""
CORNERS = """
return [...document.querySelectorAll(".hnw-generation button")].map((one) => getComputedStyle(one).borderRadius)
"""
FIRST, SECOND = "rows, one", "rows two"


@pytest.fixture(scope="module")
def tab(page: Page, server: Server) -> Iterator[Page]:
    """Return the tab txt2img with two networks to choose; the page as it was before once the tests are over."""
    folder = server.data / "models" / "hypernetworks"
    for seed, name in enumerate((FIRST, SECOND)):
        structure = Structure(activation="mish" if seed else "linear", init_std=0.15)
        files.save(Hypernetwork.create(structure, WIDTHS, seed), folder / f"{name}.pt")
    page.anew()
    page.tab("txt2img")
    page.fill("txt2img_prompt", PROMPT)
    page.fill("txt2img_seed", 7)
    page.fill("txt2img_steps", 6)
    page.press("hnw_picker_refresh")
    yield page
    page.leave()


@pytest.mark.parametrize("width_px", layout.WIDTHS_PX)
def test_a_row_has_room_for_its_fields_and_buttons(tab: Page, width_px: int):
    with layout.wide(tab.driver, width_px):
        assert tab.driver.execute_script(OUT_OF_PLACE) == []


def test_the_buttons_have_the_same_corners(tab: Page):
    (corner,) = set(tab.driver.execute_script(CORNERS))
    assert corner != "0px"


@pytest.fixture(scope="module")
def both(tab: Page) -> np.ndarray:
    """Return the picture with both networks, which are still in the rows."""
    tab.choose("hnw_picker", FIRST)
    tab.fill("hnw_strength", "-0.75")
    tab.press("hnw_add")
    tab.choose("hnw_picker_2", SECOND)
    tab.fill("hnw_strength_2", "2.5")
    return generate(tab)


def generate(page: Page) -> np.ndarray:
    """Presses Generate; the picture, [height, width, 3]."""
    before = page.pictures("txt2img_gallery")
    page.press("txt2img_generate")
    page.until("a new picture", lambda: (now := page.pictures("txt2img_gallery")) and now != before)
    time.sleep(0.3)
    return page.pixels(page.pictures("txt2img_gallery")[0])


def lines(page: Page) -> list[tuple[str, str]]:
    """Name and strength of the rows in sight."""
    shown = [end for end in ("", *(f"_{number}" for number in range(2, 9))) if in_sight(page, f"hnw_row{end}")]
    return [(page.value(f"hnw_picker{end}"), page.value(f"hnw_strength{end}")) for end in shown]


def in_sight(page: Page, id_: str) -> bool:
    """Whether an element is there and drawn."""
    return page.driver.execute_script(f"return !!document.querySelector('#{id_}')?.offsetParent")


def becomes(page: Page, *wanted: tuple[str, str]) -> None:
    """Wait until the rows in sight hold this."""
    page.until(f"the rows {wanted}", lambda: lines(page) == list(wanted))


def read_infotext(page: Page, text: str) -> None:
    """Read an infotext as a person does: into the prompt, then the button."""
    page.fill("txt2img_prompt", text)
    page.press("paste")
    page.until("the prompt alone", lambda: "Steps:" not in page.value("txt2img_prompt"))


def infotext(page: Page) -> str:
    """Return the infotext below the picture."""
    return page.text("html_info_txt2img").split("\nTime taken")[0]


def test_two_rows_change_the_picture_beyond_what_one_does(both: np.ndarray, tab: Page):
    said = infotext(tab)
    assert f"<hypernet:{FIRST}:-0.75><hypernet:{SECOND}:2.5>" in said
    assert f'Hypernetwork 1: "{FIRST}:-0.75", Hypernetwork 2: "{SECOND}:2.5", Hypernetwork hashes: ' in said
    tab.check("hnw_on_2", False)
    one = generate(tab)
    tab.check("hnw_on", False)
    none = generate(tab)
    tab.check("hnw_on", True)
    tab.check("hnw_on_2", True)
    assert none.std() > 1
    assert not np.array_equal(both, one)
    assert not np.array_equal(both, none)
    assert not np.array_equal(one, none)


def test_reading_the_infotext_fills_the_rows_again(both: np.ndarray, tab: Page):
    assert np.array_equal(generate(tab), both)
    said = infotext(tab)
    tab.press("hnw_remove_2")
    becomes(tab, (FIRST, "-0.75"))
    tab.press("hnw_remove")
    becomes(tab, ("None", "1"))
    read_infotext(tab, said)
    becomes(tab, (FIRST, "-0.75"), (SECOND, "2.5"))
    tab.wait_for_value("txt2img_prompt", PROMPT)
    assert np.array_equal(generate(tab), both)
    tab.wait_for_text("hnw_rows_remarks", f"Put into the rows: {FIRST} (-0.75), {SECOND} (2.5).")


def test_a_file_copied_meanwhile_is_in_the_list_when_the_person_comes_back(both: np.ndarray, tab: Page, server: Server):
    folder = server.data / "models" / "hypernetworks"
    shutil.copy(folder / f"{FIRST}.pt", folder / "copied.pt")
    tab.driver.execute_script("window.dispatchEvent(new Event('focus'))")
    tab.press("hnw_add")
    tab.choose("hnw_picker_3", "copied")
    tab.press("hnw_remove_3")
    (folder / "copied.pt").unlink()
    becomes(tab, (FIRST, "-0.75"), (SECOND, "2.5"))


def test_rows_are_ordered_by_their_arrows(both: np.ndarray, tab: Page):
    tab.press("hnw_up_2")
    becomes(tab, (SECOND, "2.5"), (FIRST, "-0.75"))
    assert not np.array_equal(generate(tab), both)
    tab.press("hnw_down")
    becomes(tab, (FIRST, "-0.75"), (SECOND, "2.5"))


def test_a_missing_and_a_different_file_are_reported_in_the_page(both: np.ndarray, tab: Page, server: Server):
    generate(tab)
    said = infotext(tab).replace(f"{SECOND}:2.5", "gone:2.5")
    digest = files.short_hash(server.data / "models" / "hypernetworks" / f"{FIRST}.pt")
    read_infotext(tab, said.replace(digest, "0123456789"))
    shown = tab.wait_for_text("hnw_rows_remarks", "gone")
    assert f"Hypernetwork {FIRST} is another file than the one this picture was made with" in shown
    assert "Hypernetwork gone, which this picture was made with, is not in your folder." in shown
    becomes(tab, (FIRST, "-0.75"), ("gone", "2.5"))
    generate(tab)
    shown = tab.wait_for_text("html_log_txt2img", "gone")
    assert "Hypernetwork gone was not used: there is no hypernetwork of this name." in shown
    tab.press("hnw_remove_2")
    becomes(tab, (FIRST, "-0.75"))
    tab.until("nothing said of rows that are not there any more", lambda: not tab.text("hnw_rows_remarks"))


def test_a_composition_can_be_typed(both: np.ndarray, tab: Page):
    tab.enter("hnw_picker", f'"{FIRST}":0.5 > {SECOND}')
    mixed = generate(tab)
    assert not np.array_equal(mixed, both)
    assert "not used" not in tab.text("html_log_txt2img")
    said = infotext(tab)
    tab.press("hnw_remove")
    becomes(tab, ("None", "1"))
    read_infotext(tab, said)
    becomes(tab, (f'"{FIRST}":0.5 > {SECOND}', "-0.75"))
    assert np.array_equal(generate(tab), mixed)
    tab.press("hnw_remove")
    becomes(tab, ("None", "1"))


def test_eight_rows_are_the_most(tab: Page):
    for number in range(2, 9):
        tab.press("hnw_add")
        tab.until(f"row {number}", lambda number=number: in_sight(tab, f"hnw_row_{number}"))
    tab.until("a button that is off", lambda: not tab.find("#hnw_add").is_enabled())
    for _ in range(7):
        count = len(lines(tab))
        tab.press("hnw_remove")
        tab.until("one row less", lambda count=count: len(lines(tab)) == count - 1)


def test_our_scripts_made_no_error(tab: Page):
    assert tab.own_errors() == []


def test_a_picture_dropped_on_the_prompt_is_read(both: np.ndarray, tab: Page):
    tab.fill("txt2img_prompt", "")
    tab.driver.execute_script(DROP, tab.find("#txt2img_gallery img").get_attribute("src"))
    tab.until("the infotext", lambda: "Steps: 6" in tab.value("txt2img_prompt"))
    assert tab.value("txt2img_prompt").startswith(PROMPT)
