"""What axe-core finds in parts of a page: names, roles, contrast and the like that keep people out."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from selenium import webdriver

_PACKAGE = "axe-selenium-python-nhsuk"
_FILE = "axe_selenium_python/node_modules/axe-core/axe.min.js"
_IS_THERE = "return !!window.axe"
_RUN = """
const [place, done] = arguments;
axe.run({include: [place]}, {resultTypes: ["violations"]}).then(({violations}) => done(violations
    .filter(({impact}) => ["serious", "critical"].includes(impact))
    .flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) => [id, target.join(" "), failureSummary]))));
"""


def problems(driver: webdriver.Chrome, place: str) -> list[Any]:
    """Return the serious and critical problems of what is in sight in the elements of a CSS selector."""
    if not driver.execute_script(_IS_THERE):
        driver.execute_script(metadata.distribution(_PACKAGE).locate_file(_FILE).read_text(encoding="utf-8"))
    return driver.execute_async_script(_RUN, place)
