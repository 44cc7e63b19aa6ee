"""Steps whose numbers are read later: when they are read, how often, and what a record says."""

import math

import pytest
import torch
from hypernetwork_workbench.hypernetworks.train.tracking import metrics
from hypernetwork_workbench.hypernetworks.train.tracking.metrics import StepRecord, StepReporter, StepResult


@pytest.fixture
def reads(monkeypatch):
    """Return how many numbers each read from the device gave; time stands still."""
    found, whole = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: (found.append(self.numel()), whole(self))[1])
    monkeypatch.setattr(metrics.time, "monotonic", lambda: 100.0)
    return found


def result(step, loss=1.0, norm=2.0):
    return StepResult(step, 3, 0.1, 5, torch.tensor([loss, norm]))


def reporter(callbacks, end=1000, at_once=False):
    return StepReporter(lambda one: one.read().record(), callbacks, end, at_once)


class Listener:
    """A callback that keeps the records, and ends the run at a step."""

    def __init__(self, last=None):
        self.records = []
        self.last = last

    def after_step(self, record):
        self.records.append(record)
        return record.step == self.last


def test_sixteen_steps_are_read_at_once_and_told_one_by_one(reads):
    listener = Listener()
    told = reporter([listener])
    for step in range(35):
        told.report(result(step, loss=float(step)))
    assert reads == [32, 32]
    assert [(record.step, record.loss) for record in listener.records] == [(n + 1, float(n)) for n in range(32)]


def test_steps_are_read_at_the_end_of_the_run_after_half_a_second_or_each_where_that_is_asked_for(reads, monkeypatch):
    told = reporter([Listener()], end=3)
    for step in range(3):
        told.report(result(step))
    assert reads == [6]
    told = reporter([Listener()], at_once=True)
    for step in range(2):
        told.report(result(step))
    assert reads == [6, 2, 2]
    told = reporter([Listener()])
    for step, moment in enumerate((100.25, 100.5, 100.75, 101.0)):
        monkeypatch.setattr(metrics.time, "monotonic", lambda moment=moment: moment)
        told.report(result(step))
    assert reads == [6, 2, 2, 4, 4]


def test_every_callback_is_called_for_every_step_also_after_one_has_ended_the_run(reads):
    one, other = Listener(last=2), Listener()
    told = reporter([one, other], end=4)
    assert [told.report(result(step)) for step in range(4)] == [False, False, False, True]
    assert len(one.records) == len(other.records) == 4


def test_a_record_counts_steps_and_epochs_from_one():
    record = StepRecord(8, 4, 1.0, 0.1, 5, 2.0, skipped=False)
    assert result(7).read().record() == record


@pytest.mark.parametrize("loss", [1.0, math.nan])
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_a_step_is_good_where_loss_and_gradient_are_finite(loss, norm):
    unread = result(7, loss, norm)
    assert [unread.is_loss_finite, unread.is_gradient_finite, unread.is_finite] == [False] * 3
    read = unread.read()
    assert (read.is_loss_finite, read.is_gradient_finite) == (math.isfinite(loss), math.isfinite(norm))
    assert read.is_finite == (loss == 1.0 and norm == 2.0) != read.record().skipped
    assert read.read() is read
