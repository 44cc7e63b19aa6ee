"""When a state is written on its own, and what that leaves."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.saving import Saver
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepRecord
from hypernetwork_workbench.hypernetworks.train.tracking.notes import Notes

from tests.support.fake_ports import fake_ports
from tests.support.runs import make_job


@pytest.fixture
def made(pictures, tmp_path):
    """Return a function that makes the saver of a run, whose validation is due and best every third step."""

    def saver(**changes):
        job, ports = make_job(pictures, **changes), fake_ports(tmp_path)
        plan = make_plan(job, ports)
        for folder in (plan.paths.folder, plan.paths.network.parent):
            folder.mkdir(parents=True, exist_ok=True)
        validation = SimpleNamespace(is_due=lambda step: step % 3 == 0, is_best=lambda step: step % 3 == 0)
        state = make_state(job, plan.network, ports.denoiser)
        return Saver(plan, ports.checkpoint, state, validation, {}, 0, Notes())

    return saver


def step_of(path):
    return files.read_plain(path)["step"]


@pytest.mark.parametrize(("is_wanted", "step", "is_written"), [(True, 3, True), (True, 0, False), (False, 3, False)])
def test_a_state_is_written_where_one_is_wanted_and_there_is_one(made, is_wanted, step, is_written):
    saver = made(output__save_state=is_wanted)
    saver.step = step
    assert saver.save_state() == is_written
    assert saver.plan.paths.running.exists() == is_written
    if is_written:
        assert step_of(saver.plan.paths.running) == 3


def test_a_state_of_weights_that_are_no_numbers_is_not_written(made):
    saver = made()
    saver.step = 3
    with torch.no_grad():
        next(saver.state.network.parameters())[0] = math.nan
    with pytest.raises(NonFiniteLossError):
        saver.save_state()
    assert not saver.plan.paths.running.exists()


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, []),
        ({"output__save_every": "4"}, [4, 8, 12]),
        ({"output__save_every": "2 epochs"}, [6, 12]),  # of three steps
        ({"output__save_best": True, "train__validation_share": 0.4}, [3, 6, 9, 12]),
        ({"output__save_at_cycle_end": True, "schedule__rate": "0.1:5,0.01"}, [5, 12]),
        ({"output__state_minutes": 0.0, "output__save_every": "7"}, [7]),
    ],
)
def test_the_steps_at_which_something_may_be_saved(made, changes, due):
    saver = made(**changes)
    assert [step for step in range(1, 13) if saver.is_due(step)] == due


def test_a_state_is_due_once_in_the_minutes_that_are_set(made, monkeypatch):
    saver = made(output__state_minutes=2.0)
    start = saver._state_saved_s
    for seconds, is_due in ((119.9, False), (120.0, True)):
        monkeypatch.setattr("time.monotonic", lambda now=start + seconds: now)
        assert saver.is_due(5) == is_due
    saver.after_step(StepRecord(5, 1, 0.1, 0.1, 1, 1.0))
    assert step_of(saver.plan.paths.running) == 5
    assert not saver.is_due(6)
    monkeypatch.setattr("time.monotonic", lambda: start + 240.0)
    assert saver.is_due(6)
    assert not made(output__save_state=False).is_due(6)


def test_a_copy_that_cannot_be_deleted_is_left_for_the_next_time(made, monkeypatch):
    saver = made(output__save_every="1", output__keep_last=1, output__save_state=False)
    real, held = type(saver.plan.paths.folder).unlink, ["fake-000001.pt"]

    def unlink(path, missing_ok=False):
        if path.name in held:
            raise PermissionError(13, "it is open")
        real(path, missing_ok)

    monkeypatch.setattr(type(saver.plan.paths.folder), "unlink", unlink)
    for step, kept in ((1, [1]), (2, [1, 2]), (3, [1, 3])):
        saver.after_step(StepRecord(step, 1, 0.1, 0.1, 1, 1.0))
        assert [path.name for path in saver.plan.paths.all_numbered()] == [f"fake-{one:06}.pt" for one in kept]
    held.clear()
    saver.after_step(StepRecord(4, 1, 0.1, 0.1, 1, 1.0))
    assert [path.name for path in saver.plan.paths.all_numbered()] == ["fake-000004.pt"]


def test_the_best_and_the_last_copies_are_kept(made):
    saver = made(output__save_every="1", output__save_best=True, train__validation_share=0.4, output__keep_last=2)
    for step in range(1, 6):
        saver.after_step(StepRecord(step, 1, 0.1, 0.1, 1, 1.0))
    names = {path.name for path in saver.plan.paths.folder.iterdir()}
    kept = {"fake-000004.pt", "fake-000005.pt", "fake-best.pt"}
    assert names == kept | {f"{name}.state" for name in kept}
    assert step_of(saver.plan.paths.folder / "fake-best.pt.state") == 3
