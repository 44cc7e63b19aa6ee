"""Our tabs inside the real Train tab: they take its width and leave it as it was; a run is watched there."""

from __future__ import annotations

import pytest

from tests.browser import layout
from tests.browser import page as browser

BOXES = """
const found = document.querySelectorAll("#train_tabs, #train_tabs ~ .resize-handle, #ti_gallery_container");
return [...found].map((one) => [one.offsetLeft, one.offsetTop, one.offsetWidth, one.offsetHeight]);
"""


@pytest.fixture(scope="module")
def page(browsed: browser.Page) -> browser.Page:
    """Return the WebUI in Chromium, with its tab Train open."""
    browsed.until(
        "our tabs", lambda: browsed.driver.execute_script("return !!document.querySelector('#hnw_train_tab')")
    )
    browsed.tab("Train")
    return browsed


@pytest.mark.parametrize("width_px", layout.WIDTHS_PX)
def test_our_tabs_take_the_width(page: browser.Page, width_px: int) -> None:
    with layout.wide(page.driver, width_px):
        for name in layout.TABS:
            assert layout.problems(page.driver, name) == []
        for name in layout.WITH_CONTROLS:
            assert layout.unseen(page.driver, width_px >= layout.BESIDE_PX, name) == []


def test_the_hosts_own_tabs_stay_as_they_were(page: browser.Page) -> None:
    with layout.wide(page.driver, 1440):
        page.tab("Create embedding")
        before = page.driver.execute_script(BOXES)
        page.tab("Train Gamma")
        ours = page.driver.execute_script(BOXES)
        page.tab("Create embedding")
        after = page.driver.execute_script(BOXES)
    assert ours != before == after
    assert before[2][2] > 400, "the host's column is seen"
    assert ours[2] == [0, 0, 0, 0]
