"""The page in parts, each of which is walked through in a browser of its own: several at a time.

A file of tests takes the tests and the fixtures here, and names its part.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import sources
from tests.browser import every, every_steps, layout
from tests.browser.conftest import Server, serving
from tests.browser.page import opened

LANGUAGES = ("None", "ja_JP", "zh_CN")


@dataclass(frozen=True)
class Part:
    """A part of the page.

    Attributes:
        walk: touches its controls, given the page and the data folder of the host.
        inside: the ids of the places that are its own; none for all that are no other part's.
    """

    walk: Callable[[every.Toucher, Path], None]
    inside: tuple[str, ...] = ()


def _train(one: every.Toucher, data: Path) -> None:
    every_steps.make_networks(one, "one")
    every_steps.train(one, data)
    every_steps.look_at_runs(one)
    every_steps.sweep_tabs(one, ("train", "runs"))


def _create_and_queue(one: every.Toucher, data: Path) -> None:
    every_steps.create(one, data)
    every_steps.enter_run(one, data)
    every_steps.tune(one)
    every_steps.queue(one)
    every_steps.sweep_tabs(one, ("create", "tuning", "queue"))


def _do_the_rest(one: every.Toucher, data: Path) -> None:
    every_steps.make_networks(one, "one", "two")
    every_steps.add_rows(one)
    every_steps.look_at_pictures(one, data)
    every_steps.enter_small_pictures(one)
    others = {id_ for part in PARTS.values() for id_ in part.inside}
    every_steps.sweep_tabs(one, [name for name in layout.TABS if f"hnw_{name}_tab" not in others])
    every_steps.merge(one)
    every_steps.open_settings(one)


PARTS = {
    "train": Part(_train, ("hnw_train_tab", "hnw_runs_tab")),
    "queue": Part(_create_and_queue, ("hnw_create_tab", "hnw_tuning_tab", "hnw_queue_tab")),
    "rest": Part(_do_the_rest),
}


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
        yield replace(server, data=data)


@pytest.fixture(scope="module")
def toucher(request: pytest.FixtureRequest, place: Server, language: str) -> Iterator[every.Toucher]:
    """Return the page after everything in the part was touched."""
    part = PARTS[request.module.PART]
    others = () if part.inside else tuple(id_ for other in PARTS.values() for id_ in other.inside)
    with opened(place.address) as page:
        one = every.Toucher(page, part.inside, others, reads=language != "None")
        if not request.config.option.all:
            one.widths_px = layout.WIDTHS_PX[:1]
        part.walk(one, place.data)
        yield one


def test_every_control_was_touched(toucher: every.Toucher) -> None:
    assert len(toucher.controls) > 20
    assert toucher.left == {}


def test_no_script_and_no_handler_broke(toucher: every.Toucher, place: Server) -> None:
    assert toucher.page.own_errors() == []
    assert not re.search("Traceback|ERROR|CRITICAL", place.log.read_text(encoding="utf-8"))


def test_every_text_is_translated(toucher: every.Toucher, language: str) -> None:
    if language == "None":
        pytest.skip("the page is in English")
    assert every_steps.untranslated(toucher) == []


def test_what_is_shown_is_in_its_place_and_within_reach(toucher: every.Toucher) -> None:
    assert toucher.problems == {}
