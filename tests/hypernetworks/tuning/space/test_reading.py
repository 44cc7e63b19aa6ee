"""Settings to try, read from lines: every kind of setting as a list or a range, and wrong ones by their names."""

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.settings.job import SECTIONS
from hypernetwork_workbench.hypernetworks.tuning.space import parameters as space
from hypernetwork_workbench.hypernetworks.tuning.space import reading
from hypernetwork_workbench.hypernetworks.tuning.space.settings import TuneSettings, take_table, to_toml


def only(line):
    (parameter,) = reading.parse(line)
    return parameter


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("schedule.rate = 1e-5..1e-3 log", [1e-5, 1e-4, 1e-3]),
        ("schedule.rate = 1e-5〜1e-3 log", [1e-5, 1e-4, 1e-3]),
        ("schedule.rate＝１e-5..１e-3 log", [1e-5, 1e-4, 1e-3]),
        ("train.ema_decay = 0.5..0.9", [0.5, 0.7, 0.9]),
        ("train.ema_decay = 50%..90% linear", [0.5, 0.7, 0.9]),
        ("data.batch_size = 1..9", [1, 5, 9]),
        ("data.batch_size = 1..9 log", [1, 3, 9]),
        ("train.max_steps = 100..400 step 100", [100, 200, 300, 400]),
        ("data.tag_dropout = 0..0.3 step 0.1", [0.0, 0.1, 0.2, 0.3]),
        ("optimizer.clip_limit = 1..3 int", [1, 2, 3]),
        ("network.activation = [relu, mish]", ["relu", "mish"]),
        ('network.activation = ["relu", "mish"]', ["relu", "mish"]),
        ("network.layer_structure = [[1, 2, 1], [1, 1.5, 1]]", [[1.0, 2.0, 1.0], [1.0, 1.5, 1.0]]),
        ("data.flip = [true, false]", [True, False]),
        ("train.max_steps = [100, 2 epochs]", [100, "2 epochs"]),
        ("schedule.rate = ['4e-05:2000,4e-06', 1e-5]", ["4e-05:2000,4e-06", "1e-5"]),
        ("optimizer.name = [\n  AdamW,\n  Lion,\n]", ["AdamW", "Lion"]),
    ],
)
def test_lists_and_ranges_of_all_kinds_of_settings(line, values):
    assert only(line).points(3) == values


def test_every_setting_of_every_section_can_be_tried_in_a_list():
    needed = {"output": {"name": "a"}, "data": {"folder": "/pictures"}}
    refused = []
    for section, kind in SECTIONS.items():
        for name, value in kind(**needed.get(section, {})).to_mapping().items():
            try:
                found = only(f"{section}.{name} = [{to_toml(value)}]")
            except SettingsError as error:
                refused.append(error.field)
            else:
                assert found.points(3) == [value]
    assert sorted(refused) == [
        "embedding.names",
        "embedding.trains",
        "model.clip_skip",
        "model.emphasis",
        "model.text_model",
        "model.vae",
        "output.dir",
        "output.file_form",
        "output.huggingface_repo",
        "output.log_dir",
        "output.log_run",
        "output.name",
        "output.overwrite",
        "output.resume_changed",
        "output.sheet",
        "train.validation_share",
    ]


def test_what_is_tried_becomes_settings_as_the_job_has_them():
    parameter = only("schedule.rate = 1e-5..1e-3 log")
    assert parameter.settings(3.2e-4) == {"schedule.rate": "0.00032"}
    assert only("data.batch_size = 1..4").settings(2) == {"data.batch_size": 2}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("optimizer.rate = 1e-5..1e-3 log", "optimizer.rate: there is no such setting; do you mean schedule.rate?"),
        ("train.max_step = 1..2", "train.max_step: there is no such setting; do you mean train.max_steps?"),
        ("magic.x = 1..2", "magic.x: there is no such setting"),
        ("rate", "tune.ranges: 'rate' must have the form section.key = "),
        ("schedule.rate =", "tune.ranges: 'schedule.rate =' must have the form"),
        ("schedule.rate = 0.1", "schedule.rate: must be a range such as 1e-4..1e-2 log, or a list such as [1, 2]"),
        ("schedule.rate = fast..slow", "schedule.rate: must be a number, not 'fast'"),
        ("schedule.rate = [fast, 0.1]", "schedule.rate: 'fast' is no learning rate"),
        ("schedule.rate = 1e-3..1e-5", "schedule.rate: the range must begin with the smaller number"),
        ("schedule.rate = 1e-3..1e-2 quick", "schedule.rate: 'quick' is no word of a range; there are log, linear"),
        ("train.ema_decay = 0..0.5 log", "train.ema_decay: a log range must begin above 0"),
        ("train.ema_decay = 0.1..0.5 log step 0.1", "train.ema_decay: a log range has no step"),
        ("train.ema_decay = 0.1..0.5 step 0", "train.ema_decay: the step of a range must be above 0"),
        ("train.ema_decay = 0.1..0.5 step", "train.ema_decay: the step of a range must be a number, not empty"),
        (
            "network.layer_structure = [1, 2, 1]",
            "network.layer_structure: each value is a list of its own, such as",
        ),
        ("tune.trials = [1, 2]", "tune.ranges: 'tune.trials' is a setting of the study itself, and cannot be tried"),
        ("train.seed = 1..3 step 0.5", "train.seed: is a whole number, and so must the step be"),
        ("train.ema_decay = 0.5..1.5", "train.ema_decay: must be at most 0.99999, not 1.5"),
        ("data.batch_size = 0..4", "data.batch_size: must be at least 1, not 0"),
        ("data.batch_size = 1.5..4", "data.batch_size: must be a whole number, not '1.5'"),
        ("data.batch_size = [1, x]", "data.batch_size: must be a number, not 'x'"),
        ("optimizer.name = 1..2", "optimizer.name: has no range; list its values in brackets"),
        ("data.flip = 0..1", "data.flip: has no range"),
        ("network.layer_structure = 1..2", "network.layer_structure: has no range"),
        ("network.activation = [relu, magic]", "network.activation: must be one of "),
        ("network.activation = [relu, relu]", "network.activation: 'relu' is there twice in the list"),
        ("network.activation = []", "network.activation: the list of values is empty"),
        ("preview.every = [10, often]", "preview.every: must be a number of steps, or of epochs"),
        ("output.name = [a, b]", "output.name: cannot be tried: each trial has a name of its own"),
        ("train.validation_share = [0.1, 0.2]", "train.validation_share: cannot be tried: the trials could not be"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(line, sentence):
    with pytest.raises(SettingsError) as caught:
        reading.parse(line)
    assert sentence in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once_and_remarks_are_passed_over():
    with pytest.raises(SettingsError) as caught:
        reading.parse("# rates\nschedule.rate = 3\n\ntrain.seed = [1]\ntrain.seed = [2]\n")
    assert [error.field for error in caught.value.errors] == ["schedule.rate", "train.seed"]


def test_a_grid_has_every_combination_and_a_draw_depends_on_its_number_alone():
    found = space.Space(tuple(reading.parse("schedule.rate = 1e-4..1e-2 log\nnetwork.activation = [relu, mish]")))
    grid = found.grid(3)
    assert grid[:3] == [
        {"schedule.rate": 1e-4, "network.activation": "relu"},
        {"schedule.rate": 1e-4, "network.activation": "mish"},
        {"schedule.rate": 1e-3, "network.activation": "relu"},
    ]
    assert len(grid) == 6
    draws = [found.draw(7, number) for number in range(200)]
    assert draws[3] == found.draw(7, 3) != found.draw(8, 3)
    rates = sorted(draw["schedule.rate"] for draw in draws)
    assert 1e-4 <= rates[0] < 1.5e-4
    assert 0.5e-3 < rates[100] < 2e-3, "half of them are below the middle of a log range"
    assert 60 < sum(draw["network.activation"] == "mish" for draw in draws) < 140


def test_whole_numbers_are_drawn_with_both_ends_and_steps():
    drawn = {only("data.batch_size = 1..3").draw(share / 100) for share in range(100)}
    assert drawn == {1, 2, 3}
    assert {only("train.max_steps = 10..30 step 10").draw(share / 100) for share in range(100)} == {10, 20, 30}


def test_what_is_tried_may_be_a_table_of_a_job_file():
    ranges = {"schedule": {"rate": "1e-5..1e-3 log"}, "network.activation": ["relu", "mish"]}
    made = take_table({"tune": {"method": "grid", "ranges": ranges}}, {"trials": "5"})
    assert made.trials == 5
    assert [one.address for one in reading.parse(made.ranges)] == ["schedule.rate", "network.activation"]
    lines = take_table({"tune": {"ranges": ["schedule.rate = 1e-5..1e-3", "train.seed = 1..3"]}}).ranges
    assert len(reading.parse(lines)) == 2


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "tune.ranges: name at least one setting to try"),
        ({"ranges": "train.seed = 1..2", "method": "magic"}, "tune.method: must be one of grid, random, TPE"),
        ({"ranges": "train.seed = 1..2", "trails": 3}, "tune.trails: there is no such setting; do you mean trials?"),
        (
            {"ranges": "train.seed = 1..2", "objective": "both", "pruning": "median"},
            "tune.pruning: goes by one number; judge by validation loss or style distance, or choose none",
        ),
    ],
)
def test_wrong_settings_of_a_study_are_named(given, sentence):
    with pytest.raises(SettingsError) as caught:
        take_table({"tune": given})
    assert sentence in str(caught.value)


def test_a_study_without_a_number_of_trials_has_all_of_a_grid_and_some_of_the_others():
    assert TuneSettings(ranges="train.seed = 1..2").most_trials == 16
    assert TuneSettings(ranges="train.seed = 1..2", trials=3).most_trials == 3


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("train.max_steps = 5..20 epochs step 5", ["5 epochs", "10 epochs", "15 epochs", "20 epochs"]),
        ("train.max_steps = 5 epochs..20 epochs log", ["5 epochs", "10 epochs", "20 epochs"]),
        ("train.max_steps = 10エポック〜20エポック", ["10 epochs", "15 epochs", "20 epochs"]),
        ("schedule.warmup = 1..3 Epochs", ["1 epochs", "2 epochs", "3 epochs"]),
        ("schedule.cycle = 0.5..1.5轮", ["0.5 epochs", "1 epochs", "1.5 epochs"]),
    ],
)
def test_a_range_of_a_length_may_be_in_epochs(line, settings):
    found = only(line)
    assert [found.settings(value)[found.address] for value in found.points(3)] == settings


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("data.batch_size = 1..3 epochs", "is no length"),
        ("schedule.rate = 1..3 epochs", "is no learning rate"),
        ("preview.cfg_scale = 1..3 epochs", "is no length"),
    ],
)
def test_a_range_of_anything_else_may_not(line, reason):
    with pytest.raises(SettingsError, match=reason):
        only(line)


def test_a_grid_of_fine_steps_has_all_of_them_or_is_refused_at_once():
    fine = only("schedule.rate = 0.001..0.002 step 0.0000001")
    assert len({fine.settings(value)["schedule.rate"] for value in fine.points(3)}) == 10_001
    finer = space.Space((only("schedule.rate = 0.001..0.002 step 1e-12"),))
    with pytest.raises(SettingsError, match="a grid would have 1000000001 combinations; choose random or TPE"):
        finer.grid(3)
    assert finer.draw(1, 1) != finer.draw(1, 2)
