"""In Forge networks are made and used, and training is refused; the switches give Forge its own pictures back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.real_host.webui import ApiError, WebUI

API = "/hypernetwork-workbench/v1"
TABS = {f"hnw_{name}_tab" for name in ("create", "train", "dataset", "runs", "inspect", "merge")}


@pytest.fixture(scope="module")
def plain(forge: WebUI) -> np.ndarray:
    """Return the picture without a network."""
    return picture(forge)


@pytest.fixture(scope="module")
def changed(forge: WebUI) -> np.ndarray:
    """Return the picture with a new network, whose first weights are large."""
    forge.call(f"{API}/create", {"name": "ink", "init_std": 0.1, "overwrite": True})
    return picture(forge, "<hypernet:ink:1>")


def picture(forge: WebUI, tag: str = "") -> np.ndarray:
    return forge.picture(prompt=f"a red circle {tag}".strip(), steps=2)


def test_it_starts_with_our_tabs_and_its_own_routes(forge: WebUI) -> None:
    assert {one["props"].get("elem_id") for one in forge.call("/config")["components"]} >= TABS
    assert forge.call("/internal/progress", {"id_task": "none"})["active"] is False
    assert "hypernetwork-workbench" not in forge.start_log.partition("Traceback")[2]


def test_a_network_changes_pictures_by_its_strength(forge: WebUI, plain: np.ndarray, changed: np.ndarray) -> None:
    half = picture(forge, "<hypernet:ink:0.5>")
    assert 0 < np.abs(half - plain.astype(int)).mean() < np.abs(changed - plain.astype(int)).mean()
    assert np.array_equal(picture(forge, "<hypernet:ink:0>"), plain)
    assert np.array_equal(picture(forge), plain)


@pytest.mark.parametrize("route", ["train", "continue"])
def test_training_is_refused_at_once(forge: WebUI, route: str) -> None:
    with pytest.raises(ApiError, match=r"422: .*training is not possible here: this WebUI keeps its checkpoints"):
        forge.call(f"{API}/{route}", {"network": {"file": "ink"}, "data": {"folder": "night"}})
    assert forge.call(f"{API}/status")["runs"] == []


def test_pages_of_others_can_call_none_of_it(forge: WebUI) -> None:
    config = forge.call("/config")
    (button,) = [one["id"] for one in config["components"] if one["props"].get("elem_id") == "hnw_create_button"]
    numbers = [
        one.get("id", number)
        for number, one in enumerate(config["dependencies"])
        if button in [target[0] if isinstance(target, list) else target for target in one["targets"]]
    ]
    calls = {f"{API}/create": {"name": "others"}, "/queue/join": {"fn_index": numbers[0], "data": []}}
    for path, body in {**calls, "/run/predict": calls["/queue/join"]}.items():
        headers = {"Content-Type": "application/json", "Origin": "http://other.example"}
        request = urllib.request.Request(forge.address + path, json.dumps(body).encode(), headers)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=60)


def test_switched_off_it_is_forge_alone_and_on_again(forge: WebUI, plain: np.ndarray, changed: np.ndarray) -> None:
    forge.call("/sdapi/v1/options", {"hnw_enabled": False})
    assert np.array_equal(picture(forge, "<hypernet:ink:1>"), plain)
    with pytest.raises(ApiError, match=r"503: .*is switched off"):
        forge.call(f"{API}/list")
    forge.call("/sdapi/v1/options", {"hnw_enabled": True})
    assert np.array_equal(picture(forge, "<hypernet:ink:1>"), changed)
    assert "Traceback" not in forge.log.removeprefix(forge.start_log)
