"""Every button is pressed and every control changed once, and nothing breaks, is in the way or stays English."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import pytest

from tests import sources
from tests.browser import every, every_steps
from tests.browser.conftest import Server, serving

pytestmark = pytest.mark.slow

LANGUAGES = ("None", "ja_JP", "zh_CN")


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Return the language of the page; only English, which takes a minute, if the others are not asked for."""
    if request.param != "None" and not request.config.getoption("--every-language"):
        pytest.skip("--every-language is not given")
    return request.param


@pytest.fixture(scope="module")
def place(language: str, chromium: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of a page in this language, with pictures of its own."""
    data = tmp_path_factory.mktemp(language)
    (data / "config.json").write_text(
        json.dumps({"localization": language, "hnw_end_notification": True}), encoding="utf-8"
    )
    for number in range(every_steps.COPIES):
        shutil.copytree(sources.ROOT / "examples" / "night", data / "pictures" / str(number))
    with serving(tmp_path_factory, "--data-dir", str(data)) as server:
        yield Server(server.address, data, server.log, server.started_cpu_s)


@pytest.fixture(scope="module")
def toucher(place: Server) -> Iterator[every.Toucher]:
    """Return the page after everything was touched."""
    with every_steps.walked(place.address, place.data) as one:
        yield one


def test_every_control_was_touched(toucher: every.Toucher):
    assert toucher.left == {}


def test_no_script_and_no_handler_broke(toucher: every.Toucher, place: Server):
    assert toucher.page.own_errors() == []
    assert not re.search("Traceback|ERROR|CRITICAL", place.log.read_text(encoding="utf-8"))


def test_every_text_is_translated(toucher: every.Toucher, language: str):
    if language == "None":
        pytest.skip("the page is in English")
    assert every_steps.untranslated(toucher) == []


def test_what_is_shown_is_in_its_place_and_within_reach(toucher: every.Toucher):
    assert toucher.problems == {}
