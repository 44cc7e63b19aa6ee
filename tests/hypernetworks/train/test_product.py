"""A run is over when its network and its sheet are there, whatever it was cut short by."""

import os
import time
import types
from pathlib import Path

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.train.run import train
from hypernetwork_workbench.hypernetworks.train.saving import Saver
from hypernetwork_workbench.hypernetworks.train.state_file import state_of
from hypernetwork_workbench.hypernetworks.train.tracking import sheet
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepReporter, StepResult

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job, read_log, same, weights

COPIES = {"output__save_every": "4"}


def cut(*_args, **_kwargs):
    raise KeyboardInterrupt


def finish(pictures, folder, **changes):
    return train(make_job(pictures, **changes), fake_ports(folder), resume=True)


@pytest.mark.parametrize("moment", ["the save", "the network", "its state", "the sheet"])
def test_a_run_cut_short_after_its_last_copy_is_finished_by_continue(pictures, tmp_path, monkeypatch, moment):
    whole = train(make_job(pictures, **COPIES), fake_ports(tmp_path / "whole"))
    if moment == "the sheet":
        monkeypatch.setattr(sheet, "write", cut)
    else:
        name = {"the save": "save_result", "the network": "_save_network", "its state": "_move_state"}[moment]
        real = getattr(Saver, name)
        only_at_end = (
            cut if name != "_save_network" else lambda self, path: (cut if path.stem == "fake" else real)(self, path)
        )
        monkeypatch.setattr(Saver, name, only_at_end)
    with pytest.raises(KeyboardInterrupt):
        train(make_job(pictures, **COPIES), fake_ports(tmp_path / "cut"))
    monkeypatch.undo()
    rest = finish(pictures, tmp_path / "cut", **COPIES)
    assert (rest.steps, rest.interrupted) == (whole.steps, False)
    assert same(weights(whole.network), weights(rest.network))
    assert rest.sheet is not None
    assert rest.sheet.read_bytes()
    assert [row["step"] for row in read_log(rest.log)] == [row["step"] for row in read_log(whole.log)]
    assert not rest.log.with_name("fake-running.state").exists()
    assert state_of(rest.network).exists()
    with pytest.raises(TrainingError, match=r"ended at step 12 already"):
        finish(pictures, tmp_path / "cut", **COPIES)


def test_a_run_without_copies_is_finished_too_where_its_network_was_not_written(pictures, tmp_path, monkeypatch):
    whole = train(make_job(pictures), fake_ports(tmp_path / "whole"))
    monkeypatch.setattr(Saver, "_save_network", cut)
    with pytest.raises(KeyboardInterrupt):
        train(make_job(pictures), fake_ports(tmp_path / "cut"))
    monkeypatch.undo()
    assert same(weights(whole.network), weights(finish(pictures, tmp_path / "cut").network))


@pytest.mark.parametrize("lost", ["network", "sheet"])
def test_a_result_that_is_gone_or_broken_is_made_again(pictures, tmp_path, lost):
    done = train(make_job(pictures), fake_ports(tmp_path))
    before = weights(done.network)
    path = getattr(done, lost)
    path.write_bytes(path.read_bytes()[:-40])
    assert same(weights(finish(pictures, tmp_path).network), before)
    path.unlink()
    finish(pictures, tmp_path)
    assert same(weights(done.network), before)
    assert done.sheet.exists()


def test_the_result_of_an_earlier_run_is_not_taken_for_that_of_this_one(pictures, tmp_path, monkeypatch):
    first = train(make_job(pictures, train__seed=9, **COPIES), fake_ports(tmp_path / "a"))
    again = {"output__overwrite": True, **COPIES}
    monkeypatch.setattr(Saver, "save_result", cut)
    with pytest.raises(KeyboardInterrupt):
        train(make_job(pictures, **again), fake_ports(tmp_path / "a"))
    monkeypatch.undo()
    whole = train(make_job(pictures), fake_ports(tmp_path / "b"))
    rest = finish(pictures, tmp_path / "a", **again)
    assert rest.network == first.network
    assert same(weights(rest.network), weights(whole.network))


def test_the_longer_run_before_does_not_lend_its_state(pictures, tmp_path):
    train(make_job(pictures, train__seed=9, **COPIES), fake_ports(tmp_path / "a"))
    again = {"output__overwrite": True, "train__max_steps": 20, **COPIES}
    train(make_job(pictures, **again), fake_ports(tmp_path / "a", stop_after=6))
    whole = train(make_job(pictures, **again), fake_ports(tmp_path / "b"))
    assert same(weights(finish(pictures, tmp_path / "a", **again).network), weights(whole.network))


def test_a_file_of_the_name_that_is_of_something_else_is_not_replaced(pictures, tmp_path):
    done = train(make_job(pictures, **COPIES), fake_ports(tmp_path / "a"))
    other = train(make_job(pictures, train__max_steps=1), fake_ports(tmp_path / "b"))
    done.network.write_bytes(other.network.read_bytes())
    for changes in ({}, {"output__resume_changed": True}):
        with pytest.raises(SettingsError, match=r"output\.name: .* is not of the run to continue; .*output\.overwrite"):
            finish(pictures, tmp_path / "a", train__max_steps=20, **changes)
    with pytest.raises(SettingsError, match=r"output\.resume_changed: .* was made anew after the run to continue"):
        finish(pictures, tmp_path / "a", train__max_steps=20, output__overwrite=True)
    os.utime(done.network, (0, 0))
    assert done.network.read_bytes() == other.network.read_bytes()
    assert finish(pictures, tmp_path / "a", output__overwrite=True).steps == 12


def test_a_newer_file_of_the_name_is_replaced_where_that_is_agreed_to(pictures, tmp_path):
    done = train(make_job(pictures, **COPIES), fake_ports(tmp_path / "a"))
    other = train(make_job(pictures, train__max_steps=1), fake_ports(tmp_path / "b"))
    done.network.write_bytes(other.network.read_bytes())
    assert finish(pictures, tmp_path / "a", output__overwrite=True, output__resume_changed=True).steps == 12


def test_the_state_is_saved_by_the_clock_too(pictures, tmp_path, monkeypatch):
    whole = train(make_job(pictures), fake_ports(tmp_path / "whole"))
    ticks = iter(range(1, 10**6))
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) * 7.0)
    monkeypatch.setattr(Saver, "save_result", cut)
    monkeypatch.setattr(Saver, "save", cut)
    for minutes, is_there in ((0, False), (2.0, True)):
        with pytest.raises(KeyboardInterrupt):
            train(make_job(pictures, output__state_minutes=minutes), fake_ports(tmp_path / "cut"))
        assert (tmp_path / "cut" / "logs" / "fake" / "fake-running.state").exists() == is_there
    monkeypatch.undo()
    assert time.monotonic is real
    state = files.read_plain(tmp_path / "cut" / "logs" / "fake" / "fake-running.state")
    assert 0 < state["step"] <= whole.steps
    assert same(weights(whole.network), weights(finish(pictures, tmp_path / "cut").network))


def test_a_state_by_the_clock_is_of_the_step_that_its_weights_are_of(monkeypatch):
    """Also where steps are told of some at a time, as on a GPU."""
    saver = object.__new__(Saver)
    output = types.SimpleNamespace(save_state=True, state_minutes=1.0, save_best=False, save_at_cycle_end=False)
    saver.plan = types.SimpleNamespace(
        job=types.SimpleNamespace(output=output),
        paths=types.SimpleNamespace(running=Path("running")),
        intervals=types.SimpleNamespace(save=0),
    )
    saver._state_saved_s, saver._state_step, saver.step, reached, saved = 0.0, 0, 0, [0], []
    monkeypatch.setattr(time, "monotonic", lambda: reached[0] * 7.0)
    monkeypatch.setattr(Saver, "_check_weights", lambda *_: None)

    def save_state(self, _path):
        saved.append((self.step, reached[0]))
        self._state_saved_s = time.monotonic()

    monkeypatch.setattr(Saver, "_save_state", save_state)
    reporter = StepReporter(StepResult.record, [saver], end=100, at_once=False)
    monkeypatch.setattr("hypernetwork_workbench.hypernetworks.train.tracking.metrics.MAX_UNREAD_S", 1e9)
    for step in range(40):
        reached[0] = step + 1
        reporter.report(StepResult(step, 0, 0.1, 1, torch.tensor([1.0, 1.0])))
    assert len(saved) > 2
    assert all(told == done for told, done in saved)
