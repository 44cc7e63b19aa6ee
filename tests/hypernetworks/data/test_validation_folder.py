"""The validation folder: its pictures are never trained, wherever it lies, and the loss is measured on them."""

from __future__ import annotations

import shutil

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.data.scan import read_dataset
from hypernetwork_workbench.hypernetworks.data.settings import DataSettings
from hypernetwork_workbench.hypernetworks.jobs import train_entry
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.run import train
from PIL import Image

from tests.support.fake_ports import fake_ports
from tests.support.runs import draw_pictures, make_job, read_log, same, weights


@pytest.fixture
def within(pictures):
    """Return a folder of two more pictures in that of the dataset."""
    folder = pictures / "kept"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (48, 48), "red").save(folder / f"{name}.png")
    return folder


def _names(dataset):
    return [sample.path.name for sample in dataset.samples]


def test_its_pictures_are_measured_and_not_trained_wherever_it_lies(pictures, within, tmp_path):
    job = make_job(pictures, data__validation_folder=str(within))
    plan = make_plan(job, fake_ports(tmp_path))
    assert _names(plan.training) == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert _names(plan.held_out) == ["a.png", "b.png"]
    assert plan.steps_per_epoch == len(plan.training.items) / 2 + 0.5
    assert "; 2 held out for validation." in " ".join(plan.lines())


def test_a_run_is_the_one_that_never_saw_them_and_logs_their_loss(pictures, tmp_path):
    held = shutil.copytree(pictures, tmp_path / "held")
    settings = {"train__validation_every": "4", "train__max_steps": 8}
    without = train(make_job(pictures, **settings), fake_ports(tmp_path / "one"))
    measured = train(make_job(pictures, data__validation_folder=str(held), **settings), fake_ports(tmp_path / "two"))
    assert same(weights(without.network), weights(measured.network))
    assert [row["validation_loss"] != "" for row in read_log(measured.log)][3::4] == [True, True]
    assert measured.validation_loss is not None
    assert without.validation_loss is None


def test_they_are_shown_once_and_take_no_turns_of_the_others(pictures, tmp_path):
    regular = draw_pictures(tmp_path / "regular")
    held = draw_pictures(tmp_path / "3_held")
    settings = DataSettings(
        folder=str(pictures),
        width=32,
        height=32,
        repeats=2,
        regularisation_folder=str(regular),
        validation_folder=str(held),
    )
    training, held_out, _ = read_dataset(settings, "n").divided(0, 1)
    assert len(training.items) == 2 * 5 + 2 * 5
    assert len(held_out.items) == 5
    assert {sample.subset.folder for sample in held_out.samples} == {held}


def test_repeats_in_names_of_folders_within_do_not_repeat_them(pictures, tmp_path):
    taught, held = tmp_path / "taught", tmp_path / "held"
    shutil.copytree(pictures, taught / "3_dots")
    shutil.copytree(pictures, held / "7_dots")
    settings = DataSettings(folder=str(taught), folder_repeats=True, width=32, height=32, validation_folder=str(held))
    training, held_out, _ = read_dataset(settings, "n").divided(0, 1)
    assert (len(training.items), len(held_out.items)) == (15, 5)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"data__validation_folder": "nowhere"}, "data.validation_folder", "nowhere is not a folder"),
        ({"data__validation_folder": "."}, "data.folder", "only pictures for validation are left"),
        ({"data__validation_folder": "kept", "train__validation_share": 0.2}, "train.validation_share", "must be 0"),
    ],
)
def test_what_cannot_be_is_named(pictures, within, tmp_path, changes, field, sentence):
    folder = changes["data__validation_folder"]
    with pytest.raises(SettingsError, match=sentence) as caught:
        make_plan(
            make_job(pictures, **{**changes, "data__validation_folder": str(pictures / folder)}), fake_ports(tmp_path)
        )
    assert caught.value.field == field


def test_the_best_can_be_saved_with_it_and_the_length_in_epochs_does_not_count_it(pictures, within):
    job = make_job(pictures, data__validation_folder=str(within), output__save_best=True)
    assert job.validates
    tables = job.to_mapping()
    tables["train"]["max_steps"] = "3 epochs"
    assert train_entry.planned_rates(tables).end_step == 9
    tables["data"]["validation_folder"] = ""
    tables["output"]["save_best"] = False
    assert train_entry.planned_rates(tables).end_step == 12
