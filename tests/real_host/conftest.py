"""The real WebUI, bare and with the extension; without WEBUI_DIR these tests are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.browser import page as browser
from tests.real_host import switched, webui, workplace

MINUTES = 15


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips this folder where no WebUI is named; gives its tests the time that starting one takes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(60 * MINUTES))
            if webui.installed() is None:
                item.add_marker(pytest.mark.skip(reason="WEBUI_DIR names no installed WebUI"))


@dataclass(frozen=True)
class Bare:
    """What the WebUI without the extension gave: pictures [height, width, 3], lists of networks, and what it said."""

    plain: np.ndarray
    other: np.ndarray
    tagged: dict[str, np.ndarray]
    lists: dict[str, object]
    log: str


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder, its name with a space and letters that are not ASCII."""
    made = workplace.make(tmp_path_factory.mktemp("web ui データ"))
    workplace.add_others(made)
    switched.add_networks(made)
    return made


@pytest.fixture(scope="session")
def bare(folder: Path) -> Bare:
    """Return the WebUI before the extension was added."""
    with webui.running(folder) as host:
        other = host.picture(seed=8, prompt="two blue squares")
        tagged = {name: switched.drawn(host, name) for name in switched.NAMES}
        return Bare(host.picture(), other, tagged, switched.lists(host), host.log)


@pytest.fixture(scope="session")
def host(folder: Path, bare: Bare) -> Iterator[webui.WebUI]:
    """Return the WebUI with the extension; the tests share it."""
    workplace.add_extension(folder)
    workplace.add_probe(folder)
    with webui.running(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browsed(host: webui.WebUI) -> Iterator[browser.Page]:
    """Return the page of the WebUI in Chromium, without waiting for any part of it."""
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.opened(host.address) as page:
        yield page


@pytest.fixture(scope="session")
def pictures(folder: Path) -> Path:
    """Two of the demo's pictures with their captions."""
    target = folder / "datasets" / "pictures"
    target.mkdir(parents=True)
    for source in sorted((workplace.ROOT / "examples" / "night").iterdir())[:4]:
        shutil.copy(source, target)
    return target
