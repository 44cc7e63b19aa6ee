"""A run of the real WebUI in two processes, each of which is the WebUI: what they learn is what one learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files

from tests.real_host.test_runs import V1, wait
from tests.real_host.webui import WebUI


def test_two_processes_of_the_webui_learn_what_one_learns(host: WebUI, pictures: Path) -> None:
    found, losses = [], []
    for count in (1, 2):
        host.call(f"/probe/gpus?count={count}", {})
        job = {
            "data": {"folder": str(pictures), "width": 64, "height": 64, "batch_size": 2},
            "schedule": {"rate": "0.0001"},
            "train": {"max_steps": 4},
            "preview": {"every": "0"},
            "output": {"name": f"taken by {count}", "sheet": False},
        }
        try:
            ended = _end_of(host, host.call(f"{V1}/train", job)["run"])
        finally:
            host.call("/probe/gpus?count=1", {})
        assert ended["state"] == "finished", ended
        network = files.load(host.folder / "models" / "hypernetworks" / f"taken by {count}.pt")
        found.append(dict(network.state_dict()))
        losses.append(ended["result"]["loss_last"])
    one, two = found
    # Optimizers that divide by the size of a gradient make much of the rounding of one that is nearly nothing.
    assert all(torch.allclose(weight, two[name], rtol=0, atol=5e-5) for name, weight in one.items())
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def _end_of(host: WebUI, run: str) -> Any:
    return wait("its end", lambda: (told := host.call(f"{V1}/status/{run}"))["ended"] and told)
