"""The kinds of jobs: each comes back from its tables, and names what is wrong in them."""

from __future__ import annotations

import json

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.queue import KINDS, job_of

RUN = {"data": {"folder": "/pictures"}, "output": {"name": "portrait"}, "train": {"max_steps": 40}}
STYLE = {"objective": "style distance"}
TABLES = {
    "train": {**RUN, "create": {"name": "portrait", "layer_structure": [1, 3, 1], "seed": 7}},
    "continue": {**RUN, "done_before": 30},
    "tune": {**RUN, "tune": {**STYLE, "method": "grid", "ranges": "train.seed = [1, 2, 3]"}},
    "merge": {"merge": {"network_1": "A", "network_2": "B", "weight_1": 0.3}, "result": {"name": "portrait"}},
    "caption": {"data": {"folder": "/data/portrait"}, "caption": {"tagger": "deepbooru", "existing": "replace it"}},
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_job_holds_all_of_its_settings(kind):
    job = job_of(kind, TABLES[kind])
    assert job.title == "portrait"
    assert job_of(kind, json.loads(json.dumps(job.to_mapping()))) == job
    assert kind in KINDS


def test_lengths_are_told_where_they_are_known():
    assert job_of("train", RUN).units == 40
    assert job_of("continue", TABLES["continue"]).units == 10
    epochs = {**RUN, "train": {"max_steps": "3 epochs"}}
    assert [job_of(kind, epochs).units for kind in ("train", "continue")] == [None, None]


def test_the_length_of_a_study_is_that_of_its_trials():
    assert job_of("tune", TABLES["tune"]).units == 120
    assert job_of("tune", {**RUN, "tune": {**TABLES["tune"]["tune"], "trials": 2}}).units == 80
    assert job_of("tune", {**RUN, "tune": {**STYLE, "ranges": "train.seed = 1..9", "method": "random"}}).units == 640
    assert job_of("tune", {**RUN, "train": {"max_steps": "3 epochs"}, "tune": TABLES["tune"]["tune"]}).units is None
    files = {**STYLE, "creation_files": "a, b, c", "method": "TPE"}
    assert job_of("tune", {**RUN, "tune": files}).units == 3 * job_of("train", RUN).units, "every combination"
    assert job_of("tune", {**RUN, "tune": {**files, "training_files": "x"}}).units is None
    lengths = {**STYLE, "ranges": "train.max_steps = [1, 2]", "method": "grid"}
    assert job_of("tune", {**RUN, "tune": lengths}).units is None


def test_a_training_is_of_a_new_network_or_of_one_that_there_is():
    assert job_of("train", RUN).is_new
    assert job_of("train", TABLES["train"]).is_new
    old = job_of("train", {**RUN, "network": {"file": "/networks/A.pt"}})
    assert not old.is_new
    assert old.on("/networks/B.pt").network.file == "/networks/B.pt"
    words = {**RUN, "embedding": {"trains": "embedding"}}
    assert not job_of("train", words).is_new
    with pytest.raises(SettingsError, match=r"embedding\.trains: trains no network, so none is to be made first"):
        job_of("train", {**words, "create": {"name": "a"}})
    assert job_of("train", {**RUN, "embedding": {"trains": "both", "names": "x"}, "create": {"name": "a"}}).is_new


@pytest.mark.parametrize(
    ("kind", "tables", "fields"),
    [
        ("train", {**RUN, "create": {"name": "a", "seed": -1}, "loss": {"kind": "x"}}, {"create.seed", "loss.kind"}),
        ("train", {**RUN, "create": 5}, {"create"}),
        ("continue", {**RUN, "done_before": "x"}, {"done_before"}),
        (
            "merge",
            {"merge": {"weight_1": "x"}, "results": {}, "result": {}},
            {"merge.weight_1", "results", "result.name"},
        ),
        (
            "caption",
            {"caption": {"existing": "x"}, "data": {"folder": "/a", "batch_size": 0}},
            {"caption.existing", "data.batch_size"},
        ),
        ("tune", {**RUN, "train": {"max_steps": 0}, "tune": {"ranges": "train.x = 1"}}, {"train.x", "train.max_steps"}),
        ("tune", RUN, {"tune.ranges"}),
        ("tune", {**RUN, "tune": {"ranges": "train.seed = [1, 2]"}}, {"train.validation_share"}),
        ("magic", {}, {"kind"}),
    ],
)
def test_all_wrong_fields_are_named(kind, tables, fields):
    with pytest.raises(SettingsError) as caught:
        job_of(kind, tables)
    assert {error.field for error in caught.value.errors} == fields
