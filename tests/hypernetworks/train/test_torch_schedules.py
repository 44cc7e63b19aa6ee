"""Schedules beside the first ones: torch's classes by name, multiples of the rate, a stable stretch with a decay."""

from __future__ import annotations

import math

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.jobs.train_entry import planned_rates
from hypernetwork_workbench.hypernetworks.train.optim import torch_schedules
from hypernetwork_workbench.hypernetworks.train.optim.schedule import SCHEDULES
from hypernetwork_workbench.hypernetworks.train.optim.torch_schedules import RateTable
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.settings.schedule import ScheduleSettings

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log


def rates(kind, steps, **settings):
    schedule = ScheduleSettings(rate="1.0", kind=kind, **settings).schedule(steps)
    return [schedule.rate(step) for step in range(steps)]


def ends(kind, steps, **settings):
    schedule = ScheduleSettings(rate="1.0", kind=kind, **settings).schedule(steps)
    return [step for step in range(steps) if schedule.is_end_of_cycle(step)]


@pytest.mark.parametrize(
    ("kind", "arguments", "wanted"),
    [
        ("StepLR", "step_size=2, gamma=0.5", [1, 1, 0.5, 0.5, 0.25]),
        ("torch.optim.lr_scheduler.MultiStepLR", "milestones=[1, 3]", [1, 0.1, 0.1, 0.01, 0.01]),
        ("ExponentialLR", "gamma=0.5", [1, 0.5, 0.25, 0.125, 0.0625]),
        ("LinearLR", "start_factor=0.5, total_iters=2", [0.5, 0.75, 1, 1, 1]),
        ("CosineAnnealingLR", "", [(1 + math.cos(math.pi * step / 5)) / 2 for step in range(5)]),
        ("CosineAnnealingLR", "T_max=2", [1, 0.5, 0, 0.5, 1]),
        ("CosineAnnealingWarmRestarts", "T_0=2", [1, 0.5, 1, 0.5, 1]),
        ("CyclicLR", "base_lr=0.5, step_size_up=2", [0.5, 0.75, 1, 0.75, 0.5]),
    ],
)
def test_a_class_of_torch_gives_its_own_rates(kind, arguments, wanted):
    assert rates(kind, 5, arguments=arguments) == pytest.approx(wanted, abs=1e-9)


def test_the_length_of_the_run_and_its_rate_are_filled_in():
    found = rates("OneCycleLR", 40)
    assert max(found) == pytest.approx(1.0)
    assert found[0] == pytest.approx(1 / 25)
    assert found[-1] < 1e-3
    assert max(rates("OneCycleLR", 40, arguments="max_lr=0.3")) == pytest.approx(0.3)
    assert len(rates("OneCycleLR", 40, arguments="epochs=8, steps_per_epoch=5")) == 40


def test_a_restart_ends_a_cycle():
    assert ends("CosineAnnealingWarmRestarts", 9, arguments="T_0=3") == [2, 5, 8]
    assert ends("StepLR", 5, arguments="step_size=2") == [4]
    assert [RateTable((1.0, 0.5)).rate(step) for step in (0, 1, 7)] == [1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("settings", "field", "reason"),
    [
        ({"kind": "sine"}, "kind", "must be one of steps, .*or a class of torch.optim.lr_scheduler, not 'sine'"),
        ({"kind": "os.system"}, "kind", "os is no module that schedules may come from"),
        ({"kind": "trap.Schedule"}, "kind", "trap is no module that schedules may come from"),
        ({"kind": "torch.optim.lr_scheduler.Adam"}, "kind", "has no Adam among its schedules"),
        (
            {"kind": "StepLR", "arguments": "colour=1"},
            "arguments",
            "StepLR has no option colour; it has step_size, gamma",
        ),
        ({"kind": "StepLR", "arguments": "step_size"}, "arguments", "must have the form key=value"),
        ({"kind": "cosine", "arguments": "T_max=3"}, "arguments", "are for a class of torch; cosine has fields"),
        ({"kind": "StepLR", "rate": "1e-3:5,1e-4"}, "rate", "must be one number for the schedule StepLR"),
    ],
)
def test_wrong_names_and_options_are_refused_by_name(settings, field, reason):
    with pytest.raises(SettingsError, match=reason) as caught:
        ScheduleSettings(**settings)
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize(
    ("settings", "field", "reason"),
    [
        ({"kind": "StepLR"}, "arguments", "StepLR needs step_size"),
        ({"kind": "LambdaLR"}, "arguments", "LambdaLR needs lr_lambda"),
        ({"kind": "ReduceLROnPlateau"}, "kind", "ReduceLROnPlateau gives no rates for a run of 20 steps: .*metrics"),
        (
            {"kind": "OneCycleLR", "arguments": "total_steps=10"},
            "arguments",
            "OneCycleLR gives no rates for a run of 20",
        ),
        ({"kind": "OneCycleLR", "arguments": "cycle_momentum=True"}, "arguments", "changes more than the rate"),
        ({"kind": "ExponentialLR", "arguments": "gamma=-1"}, "rate", "must be at least 0"),
        ({"kind": "piecewise", "step_rules": "fast"}, "step_rules", "'fast' has no multiples of a rate"),
        ({"kind": "piecewise", "step_rules": "1:9,0.1:5"}, "step_rules", "is never reached"),
        ({"kind": "warmup_stable_decay", "warmup": 20}, "warmup", "must be shorter than the run"),
        ({"kind": "warmup_stable_decay", "warmup": 10, "decay_steps": 11}, "decay_steps", "must not be longer"),
        ({"kind": "warmup_stable_decay", "min_rate": 2.0}, "min_rate", "must not be above the learning rate"),
        ({"kind": "cosine_with_restarts", "warmup": 20}, "warmup", "must be shorter than the run of 20 steps"),
    ],
)
def test_what_gives_no_rates_for_the_run_is_refused_by_name(settings, field, reason):
    with pytest.raises(SettingsError, match=reason) as caught:
        ScheduleSettings(**{"rate": "1.0", **settings}).schedule(20)
    assert caught.value.field == field


def test_a_long_run_is_refused_before_it_is_computed():
    with pytest.raises(SettingsError, match="takes runs of at most 200,000 steps, not 200,001") as caught:
        ScheduleSettings(kind="ExponentialLR", arguments="gamma=0.9").schedule(200_001)
    assert caught.value.field == "kind"


def test_a_table_is_computed_once():
    settings = ScheduleSettings(kind="ExponentialLR", arguments="gamma=0.9")
    assert settings.schedule(50).rates is settings.schedule(50).rates
    assert settings.schedule(50).rates is not settings.schedule(51).rates


def test_multiples_of_the_rate_by_hand():
    assert rates("piecewise", 6, step_rules="1:2, 0.1:4, 0.01") == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert rates("piecewise", 4) == pytest.approx([1, 1, 0.1, 0.1])
    schedule = ScheduleSettings(rate="0.5", kind="piecewise", step_rules="2:1 epochs,1").schedule(8, 3)
    assert [schedule.rate(step) for step in range(5)] == [1, 1, 1, 0.5, 0.5]
    # The last multiple lasts, also where it has an end: the run does not end there.
    assert ScheduleSettings(kind="piecewise", step_rules="1:2,0.1:4").schedule(9).end_step == 9


def test_multiples_in_epochs_wait_for_the_pictures(pictures):
    job = make_job(pictures, schedule__kind="piecewise", schedule__step_rules="1:2 epochs,0.1")
    assert job.counts_epochs
    assert not make_job(pictures, schedule__kind="cosine", schedule__step_rules="1:2 epochs,0.1").counts_epochs


@pytest.mark.parametrize(("shape", "half"), [("cosine", 0.5), ("linear", 0.5), ("1-sqrt", 1 - math.sqrt(0.5))])
def test_a_stable_rate_rises_stays_and_falls(shape, half):
    found = rates("warmup_stable_decay", 20, warmup=4, decay_steps=8, decay_shape=shape, min_rate=0.2)
    assert found[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert found[4:13] == [1.0] * 9
    assert found[16] == pytest.approx(0.2 + 0.8 * half)
    assert 0.2 < found[19] < found[18]
    assert ends("warmup_stable_decay", 20) == [19]


def test_a_tenth_of_the_run_decays_where_nothing_is_said():
    found = rates("warmup_stable_decay", 50)
    assert [step for step, rate in enumerate(found) if rate < 1] == [46, 47, 48, 49]
    assert rates("warmup_stable_decay", 2, warmup=1)[1] == 1.0


def test_a_cosine_falls_as_often_as_it_is_told():
    found = rates("cosine_with_restarts", 26, warmup=2, cycles=3)
    fall = [(1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert found == pytest.approx([0, 0.5, *fall * 3])
    assert ends("cosine_with_restarts", 26, warmup=2, cycles=3) == [9, 17, 25]


def test_the_inverse_square_root_falls_after_the_warm_up():
    found = rates("inverse_sqrt", 17, warmup=4)
    assert (found[0], found[4], found[16]) == (0, pytest.approx(1), pytest.approx(0.5))
    assert rates("inverse_sqrt", 3)[0] == 1.0


@pytest.mark.parametrize("kind", [*SCHEDULES, "OneCycleLR"])
def test_each_is_drawn_and_read_back_from_its_job(pictures, kind):
    job = make_job(pictures, schedule__kind=kind)
    planned = planned_rates(job.to_mapping())
    assert str(planned.chart()).count("<polyline") == 1
    assert "learning rate" in planned.line()


def test_a_run_takes_the_rates_of_torch(pictures, tmp_path):
    changes = {"schedule__kind": "ExponentialLR", "schedule__arguments": "gamma=0.5", "output__sheet": False}
    result = train(make_job(pictures, **changes, train__max_steps=4), fake_ports(tmp_path))
    found = [float(row["rate"]) for row in read_log(result.log)]
    assert found == pytest.approx([0.01, 0.005, 0.0025, 0.00125])


def test_the_optimizer_of_the_table_is_not_the_runs():
    """The rates are computed apart, so that nothing else of the run changes."""
    before = torch.get_rng_state()
    torch_schedules._rates("StepLR", "step_size=2", 0.5, 7)
    assert torch.equal(before, torch.get_rng_state())
