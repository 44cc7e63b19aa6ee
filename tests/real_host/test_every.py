"""Every control of our tabs pressed and changed once in the real WebUI, where they stand among the host's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.browser import every, every_steps
from tests.browser import page as browser
from tests.real_host import webui, workplace

LANGUAGES = ("None", "ja_JP", "zh_CN")
#: Tabs of the host beside ours, and its hint on every "None"; it has no translation of its own.
HOSTS = {"Create embedding", "Create hypernetwork", "Train", "Do not do anything special"}
#: What gradio says where a page is left or reloaded before it has answered.
LEFT = re.compile(
    r"ERROR: +Exception in ASGI application\n(?:(?!ERROR).*\n)*?starlette\.websockets\.WebSocketDisconnect: 1001\n"
)


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Return the language of the page; only English if the others are not asked for."""
    if reason := browser.missing():
        pytest.skip(reason)
    if request.param != "None" and not request.config.getoption("--every-language"):
        pytest.skip("--every-language is not given")
    return request.param


@pytest.fixture(scope="module")
def place(language: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webui.WebUI]:
    """Return a WebUI whose page is in this language, with pictures of its own."""
    folder = workplace.make(tmp_path_factory.mktemp(language))
    workplace.add_extension(folder)
    settings = folder / "config.json"
    own = {"localization": language, "hnw_end_notification": True}
    settings.write_text(json.dumps(json.loads(settings.read_text(encoding="utf-8")) | own), encoding="utf-8")
    for number in range(every_steps.COPIES):
        shutil.copytree(workplace.ROOT / "examples" / "night", folder / "pictures" / str(number))
    with webui.running(folder) as host:
        yield host


@pytest.fixture(scope="module")
def toucher(place: webui.WebUI, language: str) -> Iterator[every.Toucher]:
    """Return the page after everything was touched."""
    with every_steps.walked(place.address, place.folder, reads=language != "None") as one:
        yield one


def test_every_control_was_touched(toucher: every.Toucher) -> None:
    assert toucher.left == {}


def test_no_script_and_no_handler_broke(toucher: every.Toucher, place: webui.WebUI) -> None:
    assert toucher.page.own_errors() == []
    assert not re.search("Traceback|ERROR|CRITICAL", LEFT.sub("", place.log))


def test_every_text_is_translated(toucher: every.Toucher, language: str) -> None:
    if language == "None":
        pytest.skip("the page is in English")
    assert set(every_steps.untranslated(toucher)) - HOSTS == set()


def test_what_is_shown_is_in_its_place_and_within_reach(toucher: every.Toucher) -> None:
    assert toucher.problems == {}
