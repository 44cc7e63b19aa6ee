"""What somebody enters for a training job: a sentence beside each wrong field, and the rates."""

import itertools
import time
import xml.etree.ElementTree as ET

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.jobs import train_entry
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS


def tables(folder="/pictures", **changes):
    entered = {name: {} for name in SECTIONS}
    entered["data"]["folder"] = str(folder)
    entered["output"]["name"] = "night"
    for address, value in changes.items():
        section, _, name = address.partition("__")
        entered[section][name] = value
    return entered


def test_each_wrong_field_gets_one_sentence():
    said = train_entry.problems(tables(data__batch_size=None, schedule__rate="fast", train__max_steps=0))
    assert list(said) == ["train.max_steps", "schedule.rate", "data.batch_size"]
    assert said["train.max_steps"] == "must be at least 1, not 0"
    assert train_entry.problems(tables()) == {}


def test_every_wrong_field_is_told_at_once():
    wrong = {
        "data__batch_size": 0,  # by itself, as the first of each section
        "data__width": 100,
        "data__bucket_step": 12,
        "data__background": "blurple",
        "data__filename_regex": "(",
        "data__template": "",
        "optimizer__clip": "hard",
        "optimizer__arguments": "colour=1",
        "optimizer__clip_limit": "0",
        "schedule__min_rate": -1,
        "schedule__rate": "fast",
        "schedule__warmup": "x",
        "loss__noise_offset": 5,
        "loss__min_timestep": 999,
        "loss__max_timestep": 1,
        "loss__noise_cycle": "x",
        "train__seed": -1,
        "train__max_steps": 0,
        "train__validation_every": "0",
        "preview__sampling_steps": 0,
        "preview__every": "x",
        "preview__width": 70,
        "output__tensorboard": "perhaps",
        "output__name": "a/b",
        "output__save_every": "x",
        "output__save_best": True,
    }
    told = {address.replace("__", ".") for address in wrong} - {"loss.max_timestep"}
    assert set(train_entry.problems(tables(**wrong))) == told
    for address in ("data__batch_size", "data__width", "train__seed"):
        assert f"{address.replace('__', '.')}" in train_entry.problems(tables(**{address: wrong[address]}))
    # What depends on a field that cannot be read is not told of: it may be right.
    assert set(train_entry.problems(tables(loss__min_timestep=999, loss__max_timestep="x"))) == {"loss.max_timestep"}


def test_rates_and_length_are_judged_whatever_else_of_the_run_is_wrong():
    entered = tables(train__seed=-1, train__max_steps=4, schedule__kind="cosine", schedule__warmup="5")
    with pytest.raises(SettingsError) as caught:
        train_entry.planned_rates(entered)
    assert [error.field for error in caught.value.errors] == ["schedule.warmup"]


def test_fields_nobody_has_filled_in_yet_are_no_reproach():
    entered = tables(folder="")
    entered["output"]["name"] = ""
    assert train_entry.problems(entered) == {}
    assert "output.name" in train_entry.problems(tables(output__name="a/b"))


def test_sentences_use_the_labels_of_the_form():
    said = train_entry.problems(tables(output__save_best=True))
    assert said == {"output.save_best": "needs a “Validation share” or a “Validation folder” to measure on"}
    many = SettingsError.joined([SettingsError("a", "raise train.max_steps"), SettingsError("b", "no")])
    assert [error.reason for error in train_entry.in_words(many).errors] == ["raise “Steps”", "no"]
    worded = train_entry.in_words(TrainingError("raise train.max_steps to continue"))
    assert (type(worded), str(worded)) == (TrainingError, "raise “Steps” to continue")


def test_the_rates_are_drawn_with_upright_jumps():
    planned = train_entry.planned_rates(tables(schedule__rate="4e-5:2000,4e-6:6000", train__max_steps=9000))
    assert planned.end_step == 6000
    assert planned.line() == "6000 steps; learning rate 4e-05 at first, 4e-06 at last."
    root = ET.fromstring(planned.chart())
    line = next(element for element in root.iter() if element.tag.endswith("polyline"))
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    jumps = [(a, b) for a, b in itertools.pairwise(points) if a[1] != b[1]]
    assert len(jumps) == 1
    assert jumps[0][1][0] - jumps[0][0][0] < 0.5


def test_lengths_in_epochs_count_the_pictures(pictures):
    entered = tables(
        pictures,
        schedule__rate="1e-4",
        schedule__kind="cosine restarts",
        schedule__cycle="2 epochs",
        data__batch_size=2,
        train__max_steps=60,
    )
    planned = train_entry.planned_rates(entered)
    assert planned.steps_per_epoch == 3
    assert planned.schedule.is_end_of_cycle(5)
    assert planned.line().startswith("60 steps (20 epochs); learning rate ")
    entered["train"]["max_steps"] = "10 epochs"
    assert train_entry.planned_rates(entered).line().startswith("30 steps (10 epochs); learning rate ")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schedule__rate": "fast"}, "schedule.rate"),
        ({"train__max_steps": None}, "train.max_steps"),
        ({"schedule__kind": "cosine", "schedule__warmup": 5000}, "schedule.warmup"),
        ({"schedule__kind": "cosine restarts", "schedule__cycle": "2 epochs"}, "data.folder"),
    ],
)
def test_rates_that_cannot_be_computed_name_the_field(tmp_path, changes, field):
    with pytest.raises(SettingsError) as caught:
        train_entry.planned_rates(tables(tmp_path, **changes))
    assert caught.value.field == field


def test_shrinking_cycles_of_a_long_run_are_drawn_at_once():
    entered = tables(
        schedule__kind="cosine restarts",
        schedule__rate="1e-4",
        schedule__cycle="64",
        schedule__multiplier=0.5,
        schedule__warmup=2,
        train__max_steps=10_000_000,
    )
    started = time.thread_time()
    assert train_entry.planned_rates(entered).chart().startswith("<svg")
    assert time.thread_time() - started < 2
