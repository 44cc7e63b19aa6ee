"""The original's comma-separated files of settings: every combination, its names and its TensorBoard layout."""

import json
import sys
from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.records import read_record
from hypernetwork_workbench.hypernetworks.tuning import TuneSettings

from tests.support.studies import tune

CREATION = {
    "enable_sizes": [],
    "layer_structure": "1, 2, 1",
    "activation_func": "relu",
    "weight_init": "Normal",
    "add_layer_norm": False,
    "use_dropout": False,
    "dropout_structure": "",
    "optional_info": "",
    "weight_init_seed": None,
    "normal_std": 0.01,
    "skip_connection": False,
}
TRAINING = {"learn_rate": "0.001", "batch_size": 2, "gradient_step": 1, "steps": 6, "training_width": 32}


@pytest.fixture
def files(tmp_path):
    """Write two files of each kind where the host keeps networks, and return their folder."""
    folder = tmp_path / "hypernetworks"
    folder.mkdir()
    for name, changes in (("thin", {}), ("deep", {"layer_structure": "1, 2, 2, 1", "activation_func": "mish"})):
        (folder / f"{name}_hypernetwork_.json").write_text(json.dumps(CREATION | changes))
    for name, changes in (("slow", {}), ("fast", {"learn_rate": "0.01", "steps": 4})):
        (folder / f"{name}_train_.json").write_text(json.dumps(TRAINING | changes))
    return folder


def test_every_combination_of_creation_and_training_files_is_tried(pictures, tmp_path, files):
    result = tune(
        pictures,
        tmp_path,
        ranges="",
        method="TPE",  # which is for ranges
        trials=0,
        creation_files="thin_hypernetwork_, deep_hypernetwork_.json",
        training_files=f"slow_train_.json, {files / 'fast_train_.json'}",
        output__tensorboard=True,
    )
    assert [trial.state for trial in result.trials] == ["complete"] * 4
    found = {}
    for trial in result.trials:
        record = read_record(result.study.folder_of(trial), tmp_path)
        job = record.job
        found[record.name] = (job.network.layer_structure, job.network.activation, job.schedule.rate, record.steps)
    thin, deep = ((1.0, 2.0, 1.0), "relu"), ((1.0, 2.0, 2.0, 1.0), "mish")
    assert found == {
        "fake_0_0": (*thin, "0.001", 6),
        "fake_0_1": (*thin, "0.01", 4),
        "fake_1_0": (*deep, "0.001", 6),
        "fake_1_1": (*deep, "0.01", 4),
    }

    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = accumulator.EventAccumulator(str(result.study.folder / "tensorboard"))
    board.Reload()
    tags = board.Tags()["scalars"]
    assert {f"{name}/{tag}" for name in found for tag in ("Loss/train", "Learn rate/train")} <= set(tags)
    assert "fake_0_0/Loss/train/epoch-0" in tags


def test_a_file_that_is_not_named_stands_for_what_the_job_has(pictures, tmp_path, files):
    result = tune(pictures, tmp_path, ranges="", method="grid", trials=0, training_files="slow_train_,fast_train_")
    assert [result.study.name_of(trial) for trial in result.trials] == ["fake_0_0", "fake_0_1"]
    both = {"creation_files": ",deep_hypernetwork_", "ranges": "train.seed = [1]", "output__name": "more"}
    more = tune(pictures, tmp_path, method="grid", trials=0, **both)
    assert [more.study.name_of(trial) for trial in more.trials] == ["more-001", "more-002"]
    activations = [more.study.job(trial).network.activation for trial in more.trials]
    assert activations == ["relu", "mish"]


def test_files_alone_need_no_optuna_and_no_two_networks_have_one_name(pictures, tmp_path, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    given = {"ranges": "# nothing else", "training_files": "slow_train_,fast_train_"}
    result = tune(pictures, tmp_path, method="TPE", trials=0, **given)
    assert [trial.state for trial in result.trials] == ["complete"] * 2
    first, second = result.trials
    again = replace(second, number=2)  # as a search that repeats itself had it
    assert [result.study.name_of(one) for one in (first, second, again)] == ["fake_0_0", "fake_0_1", "fake-003"]


def test_a_text_of_remarks_alone_is_nothing_to_try():
    with pytest.raises(SettingsError, match="name at least one setting to try"):
        TuneSettings(ranges="# schedule.rate = [1]")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"training_files": "none"}, "tune.training_files: there is no file 'none' in "),
        ({"training_files": "slow_train_, slow_train_"}, "tune.training_files: names a file twice"),
        (
            {"creation_files": "slow_train_"},
            "tune.creation_files: slow_train_.json has none of the settings of a ",
        ),
        ({"training_files": "thin_hypernetwork_"}, "tune.training_files: thin_hypernetwork_.json "),
        ({"training_files": "wrong_train_"}, "tune.training_files: wrong_train_.json "),
        ({"training_files": "https://x.org/a.json"}, "tune.training_files: "),
    ],
)
def test_wrong_files_are_named_by_their_field(pictures, tmp_path, files, given, sentence):
    (files / "wrong_train_.json").write_text(json.dumps(TRAINING | {"batch_size": 0}))
    with pytest.raises(SettingsError) as caught:
        tune(pictures, tmp_path, ranges="", method="grid", trials=0, **given)
    assert sentence in str(caught.value)
