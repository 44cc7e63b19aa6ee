"""Switched off means the WebUI's own: its functions, lists and pictures, at once and without a trace; and on again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.real_host.conftest import Bare
from tests.real_host.switched import MIX, NAMES, PLAIN, SAFE, TYPED, drawn, lists
from tests.real_host.webui import PICTURE, ApiError, WebUI

API = "/hypernetwork-workbench/v1"
MASTER, SHORTCUTS = "hnw_enabled", "hnw_exact_shortcuts"
SETS = (
    *("loading", "attention", "generation", "checkpointing", "unpickling", "batches"),
    *("creation", "training", "xyz_grid", "languages"),
)
ROUTES = ("/list", "/status", "/inspect?name=switched")


def switch(host: WebUI, key: str, value: bool) -> None:
    host.call("/sdapi/v1/options", {key: value})


def key_of(name: str) -> str:
    return SHORTCUTS if name == "generation" else f"hnw_patch_{name}"


def marked(host: WebUI) -> dict[str, list[str]]:
    return host.call("/probe/marked")


def comments(host: WebUI, **changes: Any) -> tuple[str, str]:
    """Return the infotext of a picture and the remarks below it."""
    answer = json.loads(host.call("/sdapi/v1/txt2img", {**PICTURE, **changes})["info"])
    return answer["infotexts"][0], str(answer.get("extra_generation_params"))


@pytest.fixture(scope="module")
def ours(host: WebUI) -> dict[str, np.ndarray]:
    """Return the pictures that the extension makes."""
    host.call("/sdapi/v1/script-info")
    return {name: drawn(host, name) for name in NAMES}


@pytest.fixture
def quiet(host: WebUI) -> Iterator[None]:
    """Fail if the log has a trace afterwards."""
    before = len(host.log)
    yield
    said = host.log[before:]
    assert "Traceback" not in said, said
    assert "Error" not in said, said


@pytest.mark.usefixtures("quiet")
def test_all_off_is_the_bare_host(host: WebUI, bare: Bare, ours: dict[str, np.ndarray]) -> None:
    there, patched = lists(host), marked(host)
    assert there != bare.lists
    switch(host, MASTER, False)
    try:
        assert not any(marked(host).values())
        assert lists(host) == bare.lists
        assert host.call("/probe/loaded") == []
        np.testing.assert_array_equal(host.picture(), bare.plain)
        for name, picture in bare.tagged.items():
            np.testing.assert_array_equal(drawn(host, name), picture, name)
        assert all("hypernetwork_workbench" not in module for module in host.call("/probe/loaded"))
        for name in (PLAIN, MIX):
            rows = {"alwayson_scripts": {"Hypernetwork": {"args": [name, 0.7]}}}
            np.testing.assert_array_equal(host.picture(**rows), bare.plain, name)
            assert "Hypernetwork" not in comments(host, **rows)[0]
    finally:
        switch(host, MASTER, True)
    assert lists(host) == there
    assert marked(host) == patched
    for name in (PLAIN, SAFE, MIX, TYPED):
        np.testing.assert_array_equal(drawn(host, name), ours[name], name)


@pytest.mark.usefixtures("quiet")
def test_our_routes_say_in_a_sentence_that_they_are_off(host: WebUI) -> None:
    switch(host, MASTER, False)
    try:
        for route in ROUTES:
            with pytest.raises(ApiError, match="is switched off in Settings") as caught:
                host.call(API + route)
            assert caught.value.status == 503
    finally:
        switch(host, MASTER, True)
    for route in ROUTES:
        host.call(API + route)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", SETS)
def test_one_set_off_is_the_bare_host_in_that(host: WebUI, bare: Bare, ours: dict[str, np.ndarray], name: str) -> None:
    there, patched = lists(host), marked(host)
    switch(host, key_of(name), False)
    try:
        assert marked(host) == {**patched, name: []}
        now = lists(host)
        expected = dict(there)
        if name == "loading":
            expected.update({one: bare.lists[one] for one in ("api", "setting", "train", "cards")})
        if name == "xyz_grid":
            expected.update({one: bare.lists[one] for one in ("axes", "axes of the page")})
        assert now == expected
        np.testing.assert_array_equal(host.picture(), bare.plain)
        assert np.abs(drawn(host, PLAIN).astype(int) - ours[PLAIN]).max() <= 1
        for other in (SAFE, MIX, TYPED):
            picture = drawn(host, other)
            if name == "loading":
                np.testing.assert_array_equal(picture, bare.plain, other)
            else:
                assert np.abs(picture.astype(int) - ours[other]).max() <= 1
    finally:
        switch(host, key_of(name), True)
    assert lists(host) == there
    assert marked(host) == patched
    np.testing.assert_array_equal(drawn(host, MIX), ours[MIX])
