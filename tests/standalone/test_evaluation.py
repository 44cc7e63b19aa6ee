"""What is measured after a run: with the network at each strength, or with and without the words that were trained."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork, Structure
from PIL import Image

from standalone.evaluation import EvaluationSettings
from tests.support.fake_ports import TEXT_WIDTH, FakeEncoder
from tests.support.fake_words import ALONE, BOTH
from tests.support.runs import make_job


class Drawing:
    """Notes what it is asked for."""

    def __init__(self):
        self.asked = []

    def generate(self, requests, network, strength):
        self.asked.append(
            (strength, network is not None, {request.prompt.endswith(", zork blip") for request in requests})
        )
        return [Image.new("RGB", (64, 64), (number, 90, 30)) for number, _ in enumerate(requests)]


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, [(0.0, True, {False}), (0.5, True, {False}), (1.0, True, {False})]),
        (BOTH, [(0.0, True, {False}), (0.5, True, {True}), (1.0, True, {True})]),
        (ALONE, [(0.0, False, {False}), (1.0, False, {True})]),
    ],
    ids=["network", "both", "words"],
)
def test_pictures_are_measured_with_what_was_trained(tmp_path, changes, asked):
    drawing, path = Drawing(), tmp_path / "fake.pt"
    if changes is not ALONE:
        files.save(Hypernetwork.create(Structure(init_std=0.1), (TEXT_WIDTH,), 1), path)
    job = make_job(tmp_path, **changes, data__width=64, data__height=64)
    settings = EvaluationSettings("shapes", pictures=8)
    found = settings.measure(job, path, lambda: (FakeEncoder(), drawing))
    assert drawing.asked == asked
    assert list(found["style_distance"]) == [
        name for name in ("before", "half", "after") if changes is not ALONE or name != "half"
    ]
    elsewhere = make_job(tmp_path, **changes, output__dir=str(tmp_path))
    if changes:
        assert settings.measure(elsewhere, path, lambda: (FakeEncoder(), drawing)) == {}
