"""Runs on the disk are read as the runs themselves told of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.train import records
from hypernetwork_workbench.hypernetworks.train.run import train

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


@pytest.fixture
def run(pictures, tmp_path):
    """Return what makes a run of a name, and gives its result."""

    def make(name="fake", stop_after=None, **changes):
        job = make_job(pictures, output__name=name, **changes)
        return train(job, fake_ports(tmp_path, stop_after))

    return make


def listed(tmp_path):
    return records.records((tmp_path / "logs").iterdir(), tmp_path / "hypernetworks")[0]


def test_a_run_is_listed_with_what_it_told(run, tmp_path):
    result = run(train__max_steps=40, train__validation_share=0.4, train__validation_every="10", preview__every="20")
    (found,) = listed(tmp_path)
    assert (found.name, found.steps, found.total, found.is_finished, found.is_resumable) == ("fake", 40, 40, True, True)
    assert found.loss == pytest.approx(result.loss_last)
    assert found.validation == pytest.approx(result.validation_loss)
    assert found.sheet == result.sheet
    assert found.newest_preview.name == "step-000040.png"
    assert found.changed == pytest.approx(result.log.stat().st_mtime)


def test_its_curve_has_the_ends_of_the_runs_own(run, tmp_path):
    result = run(train__max_steps=40, train__validation_share=0.4, train__validation_every="10")
    loss, validation = listed(tmp_path)[0].curves()
    assert loss[0] == (4, pytest.approx(result.loss_first))
    assert loss[-1] == (40, pytest.approx(result.loss_last))
    assert [step for step, _ in validation] == [10, 20, 30, 40]
    assert validation[-1][1] == pytest.approx(result.validation_loss)


def test_a_long_curve_is_thinned_out_and_keeps_its_ends():
    points = [(step, float(step)) for step in range(1, 10_001)]
    thin = records._thinned(points)
    assert len(thin) <= 410
    assert (thin[0], thin[-1]) == (points[0], points[-1])
    assert records._thinned([]) == []


def test_a_stopped_run_can_be_continued_and_a_failed_one_without_a_state_not(run, tmp_path):
    run(stop_after=5)
    run("lost", stop_after=5, output__save_state=False)
    found = {record.name: record for record in listed(tmp_path)}
    assert (found["fake"].steps, found["fake"].is_finished, found["fake"].is_resumable) == (5, False, True)
    assert not found["lost"].is_resumable


def test_the_newest_is_first_and_what_is_no_run_is_passed_over(run, tmp_path):
    old, new = run("old"), run("new")
    os.utime(old.log, (1000, 1000))
    os.utime(new.log, (2000, 2000))
    for name, text in {"broken": "[train]\nmax_steps = -1\n", "foreign": "\0", "other": None}.items():
        folder = tmp_path / "logs" / name
        folder.mkdir()
        if text is not None:
            (folder / "job.toml").write_text(text)
    found, problems = records.records(sorted((tmp_path / "logs").iterdir()), tmp_path / "hypernetworks")
    assert [record.name for record in found] == ["new", "old"]
    assert [Path(problem.field).parent.name for problem in problems] == ["broken", "foreign"]
    assert ": the settings of the run cannot be read (" in str(problems[0])
    assert "; train.max_steps: must be at least 1, not -1;" in str(problems[0])


def test_a_name_that_the_system_refuses_is_that_of_no_run(tmp_path):
    assert records.read_record(tmp_path / ("x" * 300), tmp_path) is None


def test_what_a_kill_left_of_the_log_does_no_harm(run, tmp_path):
    log = run().log
    whole = log.read_bytes()
    log.write_bytes(whole + b"13,3,0.")
    assert listed(tmp_path)[0].steps == 12
    log.write_bytes(b"")
    assert (listed(tmp_path)[0].steps, listed(tmp_path)[0].loss) == (0, None)
    assert listed(tmp_path)[0].curves() == ([], [])
    log.unlink()
    assert listed(tmp_path)[0].steps == 0


def test_a_schedule_that_ends_early_ends_the_run(run, tmp_path):
    run(schedule__rate="0.01:6")
    (found,) = listed(tmp_path)
    assert (found.total, found.is_finished) == (6, True)


def test_a_run_in_epochs_is_as_long_as_it_says(run, tmp_path):
    run("whole", train__max_steps="2 epochs")
    run("part", train__max_steps="2.5 epochs", stop_after=1)
    found = {record.name: record for record in listed(tmp_path)}
    per_epoch = found["whole"].steps_per_epoch
    assert (found["whole"].steps, found["whole"].total, found["whole"].is_finished) == (
        per_epoch * 2,
        per_epoch * 2,
        True,
    )
    assert (found["part"].total, found["part"].is_finished) == (round(per_epoch * 2.5), False)


def test_a_run_in_epochs_whose_length_is_lost_is_not_taken_for_finished(run, tmp_path):
    run(train__max_steps="2 epochs")
    for text in ("", "{}", '{"steps": 0, "steps_per_epoch": 1}', '{"steps": 2, "steps_per_epoch": -1}', "[1, 2]"):
        (tmp_path / "logs" / "fake" / "length.json").write_text(text)
        (found,) = listed(tmp_path)
        assert (found.total, found.steps_per_epoch) == (found.steps + 1, None), text


def test_differences_are_those_of_what_is_learnt_and_not_of_places(pictures):
    job = make_job(pictures)
    form = job.to_mapping()
    assert records.differences(job, form) == {}
    other = {**form, "train": {**form["train"], "max_steps": 99}, "output": {**form["output"], "name": "x", "dir": "y"}}
    assert records.differences(job, other) == {"train.max_steps": (12, 99)}
    assert records.differences(job, {}) == {}


def test_only_what_is_named_is_taken_from_the_form(pictures):
    job = make_job(pictures)
    form = {"train": {"max_steps": 99, "seed": 77}}
    changed = records.changed(job, ["train.max_steps"], form)
    assert (changed.train.max_steps, changed.train.seed) == (99, 3)
    with pytest.raises(SettingsError, match="max_steps"):
        records.changed(job, ["train.max_steps"], {"train": {"max_steps": -1}})
