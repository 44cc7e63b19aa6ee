"""Each preset that is shipped trains: its job runs, with finite losses, and changes the network."""

from __future__ import annotations

import math

import pytest
from hypernetwork_workbench.hypernetworks.jobs.preset_kinds import CREATION, KINDS
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log, weights

SHIPPED = [(kind, preset) for kind in KINDS for preset in kind.shipped]


@pytest.mark.parametrize(("kind", "preset"), SHIPPED, ids=lambda one: one.name)
def test_each_shipped_preset_trains(kind, preset, pictures, tmp_path):
    changes = {name.replace(".", "__"): value for name, value in preset.values().items()}
    if kind is CREATION:
        changes = {f"network__{name}": value for name, value in changes.items()}
    # The demo's length: the longest recipes are thousands of steps.
    changes |= {"train__max_steps": 2, "schedule__rate": changes.get("schedule__rate", "0.01").partition(":")[0]}
    changes |= {"train__gradient_accumulation": 1, "output__sheet": False}
    if changes.get("schedule__kind") == "cosine restarts":
        changes["schedule__cycle"], changes["schedule__warmup"] = "1", 0
    result = train(make_job(pictures, **changes), fake_ports(tmp_path / "out"))
    losses = [float(row["loss"]) for row in read_log(result.log)]
    assert len(losses) == result.steps == 2
    assert all(map(math.isfinite, losses))
    assert any(weight.abs().sum() for weight in weights(result.network).values())
