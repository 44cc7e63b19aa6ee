"""Our HTTP API in the real WebUI: create, train, inspect, merge, compose, and pictures with what they made."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tests.real_host.webui import ApiError, WebUI

API = "/hypernetwork-workbench/v1"
ENDED = ("finished", "interrupted", "failed")


@pytest.fixture(scope="module")
def networks(host: WebUI, pictures: Any) -> list[str]:
    """Two networks, both trained for three steps, with schedules that the WebUI's own transformers gives."""
    names, before = ["api one", "api two"], len(host.log)
    for seed, (name, kind) in enumerate(zip(names, ("cosine", "polynomial"), strict=True)):
        host.call(f"{API}/create", {"name": name, "activation": "mish"})
        job = {
            "network": {"file": name},
            "data": {"folder": pictures.name, "width": 64, "height": 64},
            "schedule": {"rate": "0.01", "kind": kind},
            "train": {"max_steps": 3, "seed": seed},
        }
        run = host.call(f"{API}/train", job)["run"]
        assert wait(host, run)["done"] == 3
    assert "autocorrection" not in host.log[before:], "a preview names a sampler in an older way"
    return names


def wait(host: WebUI, run: str) -> dict[str, Any]:
    """Return the status of a run when it has ended."""
    end = time.monotonic() + 120
    while (status := host.call(f"{API}/status/{run}"))["state"] not in ENDED:
        assert time.monotonic() < end, status
        time.sleep(0.2)
    assert status["state"] == "finished", status
    return status


def drawn(host: WebUI, *tags: str) -> np.ndarray:
    """Return a picture with these networks, as numbers that can be subtracted."""
    return host.picture(prompt="a red circle" + "".join(f"<hypernet:{tag}>" for tag in tags)).astype(int)


def test_what_was_trained_is_listed_and_described(host: WebUI, networks: list[str]) -> None:
    listed = {one["name"] for one in host.call(f"{API}/list")["networks"]}
    assert set(networks) <= listed
    assert host.call(f"{API}/inspect?name=api%20one")["step"] == 3


def test_a_parallel_merge_draws_what_the_composition_draws(host: WebUI, networks: list[str]) -> None:
    first, second = networks
    merged = {"name": "api merge", "method": "exact_parallel", "network_1": first, "network_2": second}
    host.call(f"{API}/merge", {**merged, "weight_1": 0.5, "weight_2": 0.5})
    host.call(f"{API}/compose", {"name": "api mix", "text": f'{{"{first}": 0.5, "{second}": 0.5}}'})
    both = drawn(host, "api merge:1")
    assert np.abs(both - drawn(host, "api mix:1")).max() <= 2
    assert np.abs(both - drawn(host, f"{first}:1")).max() > 2


def test_wrong_input_is_one_sentence(host: WebUI) -> None:
    with pytest.raises(ApiError, match="must lie in") as caught:
        host.call(f"{API}/train", {"data": {"folder": "/etc"}})
    assert caught.value.status == 422


def test_the_queue_does_jobs_while_the_host_draws_between_them(host: WebUI, networks: list[str], pictures: Any) -> None:
    job = {
        "network": {"file": networks[0]},
        "data": {"folder": pictures.name, "width": 64, "height": 64},
        "schedule": {"rate": "0.01"},
        "train": {"max_steps": 3},
        "output": {"name": "queued", "sheet": False},
    }
    merge = {"merge": {"network_1": networks[0], "network_2": networks[1]}, "result": {"name": "queued merge"}}
    added = [
        host.call(f"{API}/queue/add", {"kind": kind, "settings": settings})["id"]
        for kind, settings in (("train", job), ("merge", merge))
    ]
    drawn(host, "api one:1")
    end = time.monotonic() + 120
    while states := [one["state"] for one in host.call(f"{API}/queue")["jobs"] if one["state"] != "done"]:
        assert time.monotonic() < end, states
        time.sleep(0.2)
    assert {one["id"] for one in host.call(f"{API}/queue")["jobs"]} == set(added)
    listed = {one["name"] for one in host.call(f"{API}/list")["networks"]}
    assert {"queued", "queued merge"} <= listed
