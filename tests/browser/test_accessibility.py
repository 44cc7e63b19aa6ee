"""Our tabs are free of serious accessibility problems, in both themes, on wide and narrow pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import accessibility, layout
from tests.browser import page as browser
from tests.browser.conftest import Server
from tests.browser.page import Page

pytestmark = pytest.mark.slow

WIDTHS_PX = (1440, 420)


@pytest.fixture(scope="module", params=("light", pytest.param("dark", marks=pytest.mark.long)))
def themed(request: pytest.FixtureRequest, server: Server) -> Iterator[Page]:
    """Return a page in a theme, in a browser of its own."""
    with browser.opened(f"{server.address}/?__theme={request.param}") as page:
        yield page


def test_the_rows_have_no_serious_problem(themed: Page):
    themed.tab("txt2img")
    assert accessibility.problems(themed.driver, ".hnw-generation") == []


@pytest.mark.parametrize("width_px", WIDTHS_PX)
@pytest.mark.parametrize("name", layout.TABS)
def test_a_tab_has_no_serious_problem(themed: Page, name: str, width_px: int):
    themed.tab("Train")
    tab = f"hnw_{name}_tab"
    with layout.wide(themed.driver, width_px):
        themed.driver.execute_script(layout.OPEN, tab)
        themed.driver.execute_script(layout.UNFOLD, tab, True)
        themed.until("the tab", lambda: themed.find(f"#{tab}").is_displayed())
        assert accessibility.problems(themed.driver, f"#{tab}") == []


def test_the_settings_have_no_serious_problem(themed: Page):
    themed.tab("Settings")
    themed.driver.execute_script(layout.OPEN, "settings_hypernetworks")
    assert accessibility.problems(themed.driver, "[id^=setting_hnw_]") == []
