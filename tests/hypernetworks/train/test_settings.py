"""The limits and first values of the settings of a run."""

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train.settings.job import (
    Job,
    LossSettings,
    OutputSettings,
    PreviewSettings,
    ScheduleSettings,
    TrainSettings,
)
from hypernetwork_workbench.hypernetworks.train.settings.optimizer import OptimizerSettings

from tests.support.limits import check_limits


@pytest.mark.parametrize(
    ("kind", "field", "smallest", "largest", "first"),
    [
        (ScheduleSettings, "warmup", 0, 1_000_000, 0),
        (ScheduleSettings, "min_rate", 0.0, 10.0, 0.0),
        (ScheduleSettings, "power", 0.1, 10.0, 1.0),
        (ScheduleSettings, "multiplier", 0.1, 100.0, 1.0),
        (ScheduleSettings, "decay", 0.0, 1.0, 1.0),
        (LossSettings, "huber_delta", 1e-6, 100.0, 0.1),
        (LossSettings, "min_snr_gamma", 0.0, 100.0, 0.0),
        (LossSettings, "noise_offset", 0.0, 1.0, 0.0),
        (LossSettings, "adaptive_noise_offset", -1.0, 1.0, 0.0),
        (LossSettings, "multires_iterations", 0, 10, 0),
        (LossSettings, "multires_discount", 0.0, 1.0, 0.3),
        (LossSettings, "max_timestep", 0, 999, 999),
        (TrainSettings, "max_steps", 1, 10_000_000, 1000),
        (TrainSettings, "gradient_accumulation", 1, 1024, 1),
        (TrainSettings, "ema_decay", 0.0, 0.99999, 0.0),
        (TrainSettings, "seed", 0, 2**63 - 1, 0),
        (TrainSettings, "validation_share", 0.0, 0.5, 0.0),
        (TrainSettings, "rollback_after", 1, 1000, 3),
        (PreviewSettings, "sampling_steps", 1, 150, 20),
        (PreviewSettings, "cfg_scale", 1.0, 30.0, 7.0),
        (PreviewSettings, "preview_seed", 0, 2**32 - 1, 1),
        (OutputSettings, "keep_last", 0, 10_000, 0),
        (OutputSettings, "state_minutes", 0.0, 1440.0, 5.0),
    ],
)
def test_limits_are_taken_and_nothing_beyond(kind, field, smallest, largest, first):
    others = {OutputSettings: {"name": "ink"}}.get(kind, {})
    check_limits(kind, field, smallest, largest, **others)
    assert getattr(kind(**others), field) == first


@pytest.mark.parametrize("side", ["width", "height"])
def test_sides_of_previews(side):
    check_limits(PreviewSettings, side, 0, 2048)


def test_timesteps_go_up_to_the_last():
    check_limits(LossSettings, "min_timestep", 0, 999)


def test_what_is_on_and_off_where_nobody_said():
    train, output, preview = TrainSettings(), OutputSettings(name="ink"), PreviewSettings()
    assert (train.unload_encoders, train.optimizer_on_cpu, train.preview_unloads_optimizer) == (True, False, False)
    assert not train.rollback_halves_rate
    assert (output.save_state, output.sheet, output.tensorboard, output.wandb) == (True, True, False, False)
    assert (output.overwrite, output.save_best, output.save_at_cycle_end, output.resume_changed) == (False,) * 4
    assert not preview.at_cycle_end
    assert not LossSettings().noise_restarts
    assert (OptimizerSettings().name, OptimizerSettings().clip, OptimizerSettings().clip_limit) == (
        "AdamW",
        "none",
        "1.0",
    )


@pytest.mark.parametrize("limit", ["0", "0:500,0.1", "0.1:500,0"])
def test_a_clipping_limit_of_nothing_is_refused_wherever_it_stands(limit):
    with pytest.raises(SettingsError, match="must be above 0") as caught:
        OptimizerSettings(clip_limit=limit)
    assert caught.value.field == "clip_limit"


def test_a_small_clipping_limit_is_taken():
    for limit in ("1e-6", "0.5:1,1e-6"):
        assert OptimizerSettings(clip_limit=limit).clip_limit == limit


def job(steps, **schedule):
    return Job.from_mapping(
        {
            "data": {"folder": "."},
            "output": {"name": "ink"},
            "train": {"max_steps": steps},
            "schedule": {"kind": "cosine restarts", **schedule},
        }
    )


def test_a_schedule_is_checked_at_once_where_its_length_is_known():
    with pytest.raises(SettingsError, match="must be shorter than the cycle of 4 steps") as caught:
        job(10, warmup=4, cycle="4")
    assert caught.value.field == "schedule.warmup"
    unknown = job(10, warmup=4, cycle="2 epochs")
    assert unknown.learning_rates(3).is_end_of_cycle(5)
    with pytest.raises(SettingsError, match="must be shorter than the cycle of 2 steps"):
        unknown.learning_rates(1)


def test_an_epoch_is_one_step_where_nobody_tells_its_length():
    made = job(10, cycle="3 epochs")
    for rates in (made.learning_rates(), made.schedule.schedule(10)):
        assert [step for step in range(6) if rates.is_end_of_cycle(step)] == [2, 5]


def test_all_that_is_wrong_in_a_schedule_is_told_at_once():
    with pytest.raises(SettingsError) as caught:
        ScheduleSettings(kind="cosine restarts", rate="fast", cycle="long")
    assert "fast" in str(caught.value)
    assert "cycle: must be a number of steps, or of epochs such as 10 epochs, not 'long'" in str(caught.value)


def test_the_lowest_timestep_is_not_above_the_highest():
    assert LossSettings(min_timestep=7, max_timestep=7).min_timestep == 7
    with pytest.raises(SettingsError, match="must not be above the highest timestep 6") as caught:
        LossSettings(min_timestep=7, max_timestep=6)
    assert caught.value.field == "min_timestep"


@pytest.mark.parametrize(
    ("kind", "field", "text", "reason"),
    [
        (OptimizerSettings, "clip_limit", "fast", "must be a number or such as 1.0:500,0.1, not 'fast'"),
        (
            OptimizerSettings,
            "clip_limit",
            "1:-1,0.1",
            "0.1 in '1:-1,0.1' is never reached, as 1:-1 before it has no end",
        ),
        (OptimizerSettings, "clip_limit", "0,5", "write a point for the comma in '0,5', as in 0.5"),
        (ScheduleSettings, "rate", "fast", "'fast' is no learning rate"),
    ],
)
def test_a_text_that_is_no_schedule_is_told_with_its_field(kind, field, text, reason):
    with pytest.raises(SettingsError) as caught:
        kind(**{field: text})
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_curves_take_one_rate_and_steps_take_several():
    assert ScheduleSettings(kind="steps", rate="1e-4:5,1e-5").rate == "1e-4:5,1e-5"
    assert ScheduleSettings(kind="linear", rate="1e-4").rate == "1e-4"
    with pytest.raises(SettingsError, match="must be one number for the schedule linear") as caught:
        ScheduleSettings(kind="linear", rate="1e-4：5，1e-5")
    assert caught.value.field == "rate"


def test_a_schedule_counts_epochs_where_one_of_its_lengths_does():
    for changes in ({}, {"rate": "1e-4:5,1e-5"}, {"warmup": "7"}, {"cycle": "9"}):
        assert not ScheduleSettings(**changes).counts_epochs
    for changes in ({"rate": "1e-4:2 epochs,1e-5"}, {"warmup": "1 epoch"}, {"cycle": "2 epochs"}):
        assert ScheduleSettings(**changes).counts_epochs
