"""What trials have taken of the budget of their study, whoever was at them, and how long the rest will take."""

import json
import math
import sys

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError
from hypernetwork_workbench.hypernetworks.tuning import TuneSettings, plan_study, study, trials
from hypernetwork_workbench.hypernetworks.tuning.judge import TrialJudge
from hypernetwork_workbench.hypernetworks.tuning.progress import Others
from hypernetwork_workbench.hypernetworks.tuning.style import StyleMeasure
from hypernetwork_workbench.hypernetworks.tuning.trials import Trial

from tests.support import studies
from tests.support.fake_ports import FakeProgress, fake_ports
from tests.support.studies import tune

POINT = {"schedule.rate": 0.01, "network.activation": "relu"}


@pytest.fixture(params=[False, True], ids=["local", "shared"])
def url(request, tmp_path):
    """Return the address of the study: that of a database, or none."""
    return f"sqlite:///{tmp_path}/x.db" if request.param else ""


@pytest.fixture
def store_of(pictures, tmp_path, url):
    """Return a function that opens the study as a worker on another machine of this name does."""

    def make(name):
        settings = TuneSettings(ranges=studies.RANGES, method="random", trials=4, pictures=4)
        store = plan_study(studies.tables(pictures), settings, fake_ports(tmp_path), url).study.store
        store._me = json.dumps({"host": name, "pid": 1, "started": 0})
        return store

    return make


def test_all_goes_of_a_trial_count(pictures, tmp_path, url, store_of):
    store = store_of("elsewhere")
    store.claim(0)
    store.set_point(0, POINT)
    store.finish(0, trials.WAITING, (), {"seconds": 1000.0, "steps_taken": 5})
    result = tune(pictures, tmp_path, url, max_minutes=10)
    assert [trial.state for trial in result.trials] == ["complete"], "the budget was used up before"
    assert result.trials[0].steps == 5 + 8
    assert result.trials[0].seconds > 1000


def test_what_a_killed_worker_has_told_counts(store_of, monkeypatch):
    store, other = store_of("a"), store_of("b")
    store.claim(0)
    store.beat(0, {"seconds": 50.0, "steps_taken": 7})
    _silence(other, monkeypatch)
    taken = other.claim(0)
    assert (taken.seconds, taken.steps) == (50.0, 7)


def _silence(store, monkeypatch):
    """Let every other worker count as silent for too long."""
    if hasattr(store, "_storage"):
        monkeypatch.setattr(store._storage, "grace_period", -1)
    else:
        monkeypatch.setattr(sys.modules[type(store).__module__], "GRACE_S", -1.0)


def test_a_worker_whose_trial_was_taken_up_keeps_nothing_of_it(store_of, monkeypatch, caplog):
    store, other = store_of("a"), store_of("b")
    store.claim(0)
    store.set_point(0, POINT)
    _silence(other, monkeypatch)
    assert other.claim(0).number == 0
    store.beat(0, {"seconds": 50.0})
    store.report(0, 1, 3.0)
    store.finish(0, trials.COMPLETE, (9.0,), {"steps": 8})
    assert "another worker has taken it up" in caplog.text
    (trial,) = other.trials()
    assert (trial.state, trial.values, trial.reports, dict(trial.facts)) == ("running", (), (), {})
    other.finish(0, trials.COMPLETE, (1.0,), {"steps": 8})
    assert other.trials()[0].values == (1.0,)


def test_the_steps_of_a_trial_that_fails_count(pictures, tmp_path):
    ranges = "schedule.rate = [1e30, 0.01]"
    settings = {"ranges": ranges, "method": "grid", "optimizer__name": "SGD", "train__rollback_after": 1}
    result = tune(pictures, tmp_path, max_steps=1, **settings)
    assert [trial.state for trial in result.trials] == ["failed"]
    assert result.trials[0].steps > 0


def test_a_trial_that_is_given_back_is_done_though_the_budget_is_used_up(
    pictures, tmp_path, url, store_of, monkeypatch
):
    store, waited = store_of("elsewhere"), []
    store.claim(0)

    def give_back(_worker, count):
        waited.append(count)
        store.finish(0, trials.WAITING, (), {})

    monkeypatch.setattr(study._Worker, "_wait", give_back)
    result = tune(pictures, tmp_path, url, max_steps=8)
    assert waited == [2]
    assert [trial.state for trial in result.trials] == ["complete", "complete"]


def test_a_trial_without_a_value_is_not_trained_once_more(pictures, tmp_path, monkeypatch):
    tune(pictures, tmp_path, trials=1, progress=FakeProgress(stop_after=3))
    monkeypatch.setattr(TrialJudge, "_measured", lambda *_: (math.nan,))
    progress = FakeProgress()
    result = tune(pictures, tmp_path, trials=1, progress=progress)
    assert [trial.state for trial in result.trials] == ["failed"]
    assert "not finite after 8 steps" in result.trials[0].facts["problem"]
    assert not [text for text in progress.texts if text.startswith("step 1 of")]


def test_an_interrupt_while_the_pictures_to_compare_with_are_encoded_leaves_the_study_to_go_on(
    pictures, tmp_path, monkeypatch
):
    progress = FakeProgress()

    def stopped(*_args, **_named):
        progress.is_interrupted = lambda: True
        raise DatasetError("stopped by hand before the first step")

    monkeypatch.setattr(StyleMeasure, "of", stopped)
    result = tune(pictures, tmp_path, progress=progress, objective="style distance")
    assert (result.is_interrupted, result.trials) == (True, ())
    progress.is_interrupted = lambda: False
    monkeypatch.setattr(StyleMeasure, "of", lambda *_: (_ for _ in ()).throw(DatasetError("0.png cannot be read")))
    with pytest.raises(DatasetError, match=r"0\.png cannot be read"):
        tune(pictures, tmp_path, objective="style distance")


class Desk:
    """Notes the seconds that it is told to expect."""

    def __init__(self):
        self.told = []

    def is_wanted(self):
        return False

    def expect(self, seconds):
        self.told.append(seconds)

    def serve(self, run):
        pass


def test_the_rest_of_a_study_is_that_of_all_its_trials(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(Others, "seconds", lambda others, _: 1000.0 * others._count)
    desk = Desk()
    tune(pictures, tmp_path, trials=3, desk=desk)
    told = [round(seconds / 1000) for seconds in desk.told if seconds is not None]
    assert sorted(set(told), reverse=True) == [2, 1, 0]
    assert told == sorted(told, reverse=True)


def test_the_trials_to_come_take_as_long_as_those_before_or_what_is_left_of_the_budget():
    at_work, other = Trial(2), Trial(3, "running")
    done = [Trial(0, "complete", facts={"seconds": 10.0}), Trial(1, "pruned", facts={"seconds": 4.0})]
    assert Others(at_work, [], 3, 0.0).seconds(5.0) == 10.0
    assert Others(at_work, done, 3, 0.0).seconds(5.0) == 14.0
    assert Others(at_work, [*done, other], 3, 0.0).seconds(5.0) == 7.0
    assert Others(at_work, done, 3, 25.0).seconds(5.0) == 6.0
    assert Others(at_work, done, 1, 0.0).seconds(5.0) == 0.0


def test_what_other_workers_have_taken_so_far_counts(pictures, tmp_path, url, store_of, monkeypatch):
    store = store_of("elsewhere")
    store.claim(0)
    store.set_point(0, POINT)
    store.beat(0, {"seconds": 1000.0, "steps_taken": 5})
    facts = {"seconds": 1001.0, "steps": 8}
    monkeypatch.setattr(study._Worker, "_wait", lambda *_: store.finish(0, trials.COMPLETE, (1.0,), facts))
    assert len(tune(pictures, tmp_path, url, max_minutes=10).trials) == 1
