"""In Forge networks are made, trained and used; runs and switches give Forge its own pictures back."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.real_host.webui import ApiError, WebUI
from tests.support.runs import draw_pictures, same, weights

SECONDS = 900
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


def job(name: str, steps: int, **more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a job of few pixels."""
    made: dict[str, dict[str, Any]] = {
        "network": {"file": "sown"},
        "data": {"folder": "night", "width": 64, "height": 64},
        "train": {"max_steps": steps, "seed": 3},
        "schedule": {"rate": "1e-3"},
        "preview": {"every": "0", "prompt": "a red circle", "sampler": "Euler", "sampling_steps": 2},
        "output": {"name": name, "overwrite": True, "sheet": False},
    }
    for section, changes in more.items():
        made.setdefault(section, {}).update(changes)
    return made


def run(forge: WebUI, name: str, steps: int, **more: dict[str, Any]) -> str:
    """Start a run and return its id."""
    return str(forge.call(f"{API}/train", job(name, steps, **more))["run"])


def told(forge: WebUI, id_: str, until: Callable[[dict[str, Any]], bool] = lambda _: False) -> dict[str, Any]:
    """Wait until a run is over, or at what is wanted, and return what is told of it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found: dict[str, Any] = forge.call(f"{API}/status/{id_}")
        if found["ended"] or until(found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"the run does not end: {found}")


@pytest.fixture(scope="module")
def trained(forge: WebUI, plain: np.ndarray) -> dict[str, Any]:
    """Return what is told of a run of 20 steps with previews, on the checkpoint of the picture."""
    (forge.folder / "datasets").mkdir()
    draw_pictures(forge.folder / "datasets" / "night")
    forge.call(f"{API}/create", {"name": "sown", "zero_last_layer": True, "overwrite": True})
    return told(forge, run(forge, "grown", 20, preview={"every": "10", "width": 64, "height": 64}))


def test_it_trains_and_leaves_its_pictures_as_they_were(
    forge: WebUI, plain: np.ndarray, trained: dict[str, Any]
) -> None:
    assert (trained["state"], trained["problem"]) == ("finished", None)
    result = trained["result"]
    assert result["steps"] == 20
    assert result["loss_last"] < result["loss_first"]
    assert len(result["previews"]) == 2
    assert np.array_equal(picture(forge), plain)
    assert np.array_equal(picture(forge, "<hypernet:sown:1>"), plain), "its last layer is zero"
    assert np.abs(picture(forge, "<hypernet:grown:1>") - plain.astype(int)).mean() > 1


@pytest.mark.parametrize("computing", [{"checkpointing": "all"}, {"checkpointing": "none", "attention": "host"}])
def test_the_loss_does_not_depend_on_how_it_is_computed(
    forge: WebUI, trained: dict[str, Any], computing: dict[str, Any]
) -> None:
    losses = [told(forge, run(forge, "tried", 3, train=how))["result"] for how in ({}, computing)]
    assert losses[1]["loss_last"] == pytest.approx(losses[0]["loss_last"], rel=1e-4)


def test_a_run_is_interrupted_and_continued_bit_for_bit(forge: WebUI, trained: dict[str, Any]) -> None:
    id_ = run(forge, "broken", 5)
    told(forge, id_, lambda now: now["done"] >= 2)
    forge.call(f"{API}/interrupt", {})
    interrupted = told(forge, id_)
    assert interrupted["state"] == "interrupted"
    assert 2 <= interrupted["done"] < 5
    continued = told(forge, str(forge.call(f"{API}/continue", {"run": id_})["run"]))
    assert (continued["state"], continued["done"]) == ("finished", 5)
    told(forge, run(forge, "whole", 5))
    folder = forge.folder / "models" / "hypernetworks"
    assert same(weights(folder / "broken.pt"), weights(folder / "whole.pt"))


def test_a_pause_lets_a_picture_in(forge: WebUI, plain: np.ndarray, trained: dict[str, Any]) -> None:
    id_ = run(forge, "paused", 6)
    told(forge, id_, lambda now: now["done"] >= 1)
    forge.call(f"{API}/pause", {})
    told(forge, id_, lambda now: now["state"] == "paused")
    assert np.array_equal(picture(forge), plain)
    forge.call(f"{API}/go-on", {})
    assert told(forge, id_)["state"] == "finished"


def test_the_queue_trains(forge: WebUI, trained: dict[str, Any]) -> None:
    forge.call(f"{API}/queue/add", {"kind": "train", "settings": job("queued", 2)})
    end = time.monotonic() + SECONDS
    while states := {one["state"] for one in forge.call(f"{API}/queue")["jobs"]} - {"done"}:
        assert time.monotonic() < end, states
        time.sleep(0.5)
    assert (forge.folder / "models" / "hypernetworks" / "queued.pt").is_file()


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
