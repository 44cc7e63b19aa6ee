"""Our tabs inside the frame of the host's Train tab, on wide and narrow pages, before, while and after a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import layout
from tests.browser import page as browser
from tests.browser.conftest import Server, serving
from tests.browser.page import Page

pytestmark = [pytest.mark.story, pytest.mark.slow]

#: The pages of a quick run: beside the form, and a phone.
QUICK_PX = (1440, 420)
WIDTHS = pytest.mark.parametrize(
    "width_px", [one if one in QUICK_PX else pytest.param(one, marks=pytest.mark.long) for one in layout.WIDTHS_PX]
)
STEPS = 40
#: The buttons whose words take more than one line.
TALL_BUTTONS = """
return [...document.querySelectorAll(`#${arguments[0]} button:is(.lg, .sm)`)].filter((one) => {
    const words = document.createRange();
    words.selectNodeContents(one);
    return one.offsetParent && words.getBoundingClientRect().height > 1.9 * parseFloat(getComputedStyle(one).fontSize);
}).map((one) => one.id);
"""
IN_SIGHT = "return [...document.querySelectorAll(arguments[0])].some((one) => one.offsetParent !== null)"


@pytest.fixture(scope="module")
def tab(page: Page, server: Server) -> Iterator[Page]:
    """Return the page with the tab Train open; afterwards it is anew, and the demo's network is not made yet."""
    page.tab("Train")
    page.tab("Create Beta Hypernetwork")
    page.wait_for_text("hnw_create_summary", "Parameters")
    name = page.value("hnw_create_name")
    page.check("hnw_create_overwrite", True)
    page.press("hnw_create_button")
    page.wait_for_text("hnw_create_status", "Created")
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")
    yield page
    for path in server.data.rglob(f"{name}.*"):
        path.unlink()
    shutil.rmtree(server.data / "outputs" / "training" / name, ignore_errors=True)
    page.tab("Train Gamma")
    page.press("hnw_train_refresh")
    page.leave()


def is_in_sight(page: Page, selector: str) -> bool:
    return page.driver.execute_script(IN_SIGHT, selector)


def test_the_hosts_column_makes_room(tab: Page):
    assert tab.find(".resize-handle-row > #train_tabs")
    assert tab.find(".resize-handle-row.hnw-wide > .resize-handle + #ti_gallery_container #ti_output")
    assert not is_in_sight(tab, "#ti_gallery_container, .resize-handle")


@WIDTHS
@pytest.mark.parametrize("name", layout.TABS)
def test_every_field_has_room(tab: Page, name: str, width_px: int):
    with layout.wide(tab.driver, width_px):
        assert layout.problems(tab.driver, name) == []


@WIDTHS
@pytest.mark.parametrize("name", layout.WITH_CONTROLS)
def test_the_buttons_stay_in_sight(tab: Page, name: str, width_px: int):
    with layout.wide(tab.driver, width_px):
        assert layout.unseen(tab.driver, width_px >= layout.BESIDE_PX, name) == []
        tall = tab.driver.execute_script(TALL_BUTTONS, f"hnw_{name}_tab")
        assert tall == [], "the words of a button are on one line"


@pytest.fixture(scope="module")
def running(tab: Page, screenshots: Path | None) -> Page:
    """Check first, then start a run."""
    tab.tab("Train Gamma")
    tab.press("hnw_train_check")
    tab.wait_for_text("hnw_train_status", "steps per epoch")
    if not screenshots:
        tab.fill("hnw_train_train_max_steps", 100_000)
    tab.fill("hnw_train_preview_every", STEPS)
    tab.press("hnw_train_button")
    tab.until("the live chart", lambda: is_in_sight(tab, "#hnw_train_live .hnw-chart"))
    tab.until("a preview", lambda: is_in_sight(tab, "#hnw_train_preview .livePreview img"))
    return tab


def test_a_run_clears_what_was_said_before(running: Page):
    assert not is_in_sight(running, "#hnw_train_status .hnw-done")


@WIDTHS
def test_nothing_covers_the_buttons_of_a_run(running: Page, width_px: int):
    assert is_in_sight(running, ".progressDiv")
    with layout.wide(running.driver, width_px):
        assert layout.unseen(running.driver, is_beside=width_px >= layout.BESIDE_PX) == []
        running.driver.execute_script(layout.SCROLL, 0)
        assert running.driver.execute_script(layout.OVER, "hnw_train_tab") == []


@pytest.fixture(scope="module")
def ended(running: Page, screenshots: Path | None) -> Page:
    """Let the run end, or end it."""
    if not screenshots:
        running.press("hnw_train_interrupt")
    running.wait_for_text("hnw_train_status", "Trained", "Stopped by hand", seconds=400)
    running.until("the pictures of the run", lambda: running.pictures("hnw_train_preview"))
    return running


@WIDTHS
def test_the_result_fits(ended: Page, width_px: int, screenshots: Path | None):
    with layout.wide(ended.driver, width_px):
        assert layout.problems(ended.driver, "train") == []
        assert layout.unseen(ended.driver, is_beside=width_px >= layout.BESIDE_PX) == []
        if screenshots:
            ended.driver.execute_script(layout.SCROLL, 0)
            ended.driver.save_screenshot(str(screenshots / f"train-{width_px}.png"))


@pytest.mark.long("test_every_field_has_room")
def test_a_setting_moves_them_into_a_tab_of_their_own(chromium: None, tmp_path_factory: pytest.TempPathFactory):
    data = tmp_path_factory.mktemp("apart")
    (data / "config.json").write_text('{"hnw_own_tab": true}', encoding="utf-8")
    with (
        serving(tmp_path_factory, "--data-dir", str(data)) as server,
        browser.opened(server.address) as apart,
        layout.wide(apart.driver, 1440),
    ):
        apart.tab("Train")
        assert is_in_sight(apart, "#ti_gallery_container")
        apart.tab("Hypernetworks")
        for name in layout.TABS:
            assert layout.problems(apart.driver, name) == []
        assert layout.unseen(apart.driver, is_beside=True) == []
        assert is_in_sight(apart, "#hnw_train_from_txt2img"), "txt2img gives its components here too"


def test_the_scripts_made_no_error(ended: Page):
    assert ended.own_errors() == []
