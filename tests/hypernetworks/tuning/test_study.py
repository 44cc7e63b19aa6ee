"""Studies on the fakes: each trial once, the same after a kill, and what is wrong told before anything is trained."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from hypernetwork_workbench.hypernetworks import tuning
from hypernetwork_workbench.hypernetworks.base.errors import DatasetError, SettingsError
from hypernetwork_workbench.hypernetworks.train.records import read_record
from hypernetwork_workbench.hypernetworks.tuning import study, trials
from hypernetwork_workbench.hypernetworks.tuning.local_store import LocalStore

from tests import sources
from tests.support import studies
from tests.support.fake_ports import FakeProgress, fake_ports
from tests.support.runs import draw_pictures
from tests.support.studies import tune


def in_forks(pictures, settings, parts):
    """Return the outcome of each part, done one after the other in forks of one process."""
    request = {"pictures": str(pictures), "settings": settings, "parts": parts}
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.studies", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
        cwd=sources.ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.long("test_the_trial_of_a_worker_that_is_gone_or_silent_is_taken_up_again")
@pytest.mark.slow
def test_a_study_killed_in_trial_4_of_8_ends_as_an_unbroken_one(pictures, tmp_path):
    parts = []
    for name, settings in (
        ("random", {"method": "random", "output__state_minutes": 0.00001}),
        ("shared", {"method": "TPE", "pruning": "median"}),
    ):
        whole, broken = (
            {**settings, "folder": str(tmp_path / name / place), "url": _address(tmp_path, name, place)}
            for place in "ab"
        )
        parts += [whole, {**broken, "kill": [4, 6]}, broken]
    answers = in_forks(pictures, {"trials": 8}, parts)
    for whole, killed, again in (answers[:3], answers[3:]):
        assert killed is None
        assert again == whole
        assert [trial[0] for trial in again["trials"]] == list(range(8))
        assert {trial[1] for trial in again["trials"]} <= {"complete", "pruned"}
        done = [trial for trial in again["trials"] if trial[1] == "complete"]
        assert again["best"] == [min(done, key=lambda trial: trial[3])[0]]


def _address(folder, name, place):
    return f"sqlite:///{folder}/{place}.db" if name == "shared" else ""


@pytest.mark.parametrize("shared", [False, True])
def test_two_workers_on_one_study_do_each_trial_once(pictures, tmp_path, shared):
    url = f"sqlite:///{tmp_path}/x.db" if shared else ""
    begun = []

    class Noting(FakeProgress):
        def report(self, done, total, text):
            if text.startswith("step 1 of"):
                begun.append((threading.get_ident(), text.rpartition(", ")[2]))
            super().report(done, total, text)

    results = []
    workers = [
        threading.Thread(
            target=lambda: results.append(tune(pictures, tmp_path / "a", url, Noting(), method="grid", trials=5))
        )
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(words for _, words in begun) == [f"trial {number} of 5" for number in range(1, 6)]
    assert len(results) == 2
    assert [[trial.state for trial in result.trials] for result in results] == [["complete"] * 5] * 2
    assert results[0].best == results[1].best


def test_a_trial_that_another_worker_takes_at_the_same_moment_is_waited_for(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "_WAIT_S", 0.0)
    claim, asked = LocalStore.claim, []

    def later(store, number):
        asked.append(number)
        return None if asked.count(number) == 1 else claim(store, number)  # the other one dies at once

    monkeypatch.setattr(LocalStore, "claim", later)
    result = tune(pictures, tmp_path, method="grid", trials=2)
    assert [trial.state for trial in result.trials] == ["complete"] * 2


@pytest.mark.parametrize("method", ["grid", "random", "TPE"])
def test_the_best_trial_is_the_one_with_the_lowest_validation_loss_at_its_end(pictures, tmp_path, method):
    result = tune(pictures, tmp_path, method=method, trials=5)
    assert [trial.state for trial in result.trials] == ["complete"] * 5
    assert result.best[0].values == min(trial.values for trial in result.trials)
    for trial in result.trials:
        record = read_record(result.study.folder_of(trial), tmp_path)
        settings = result.study.settings_of(trial)
        assert record.job.schedule.rate == settings["schedule.rate"]
        assert record.job.network.activation == settings["network.activation"]
        assert record.job.train.seed == 3, "the runs differ in what is tried alone"
        # The log has the same number where its last row was due to be measured: 8 steps of an epoch of 2.
        assert record.validation == trial.values[0]
        assert len(list((result.study.folder_of(trial) / "prompts").glob("*.png"))) >= 3
    assert (tmp_path / "logs" / "fake-tuning" / "fake-001.pt").is_file()
    assert not (tmp_path / "hypernetworks").exists() or not list((tmp_path / "hypernetworks").iterdir())
    assert "Best is trial" in result.lines()[1]


def test_a_search_goes_on_with_more_trials_and_the_first_ones_stay(pictures, tmp_path):
    first = tune(pictures, tmp_path, method="TPE", trials=2)
    more = tune(pictures, tmp_path, method="TPE", trials=5)
    assert more.trials[:2] == first.trials
    assert len(more.trials) == 5
    at_once = tune(pictures, tmp_path / "b", method="TPE", trials=5)
    assert [trial.point for trial in at_once.trials] == [trial.point for trial in more.trials]


def test_an_interrupted_trial_is_given_back_and_goes_on_from_its_state(pictures, tmp_path):
    whole = studies.outcome(tune(pictures, tmp_path / "a"))
    stopped = tune(pictures, tmp_path / "b", progress=FakeProgress(stop_after=8 + 8 + 3))
    assert stopped.is_interrupted
    assert [trial.state for trial in stopped.trials] == ["complete", "complete", "waiting"]
    assert "It was interrupted; started again, it goes on." in stopped.lines()[1]
    steps = FakeProgress()
    again = tune(pictures, tmp_path / "b", progress=steps)
    assert studies.outcome(again) == whole
    assert steps.texts[[text.startswith("step") for text in steps.texts].index(True)].startswith("step 4 of 8")


def test_a_trial_of_settings_that_do_not_go_together_fails_alone(pictures, tmp_path):
    ranges = "network.dropout_structure = [[0, 0.1, 0], [0, 0, 0.1, 0, 0]]"
    result = tune(pictures, tmp_path, ranges=ranges, method="grid", trials=0)
    assert [trial.state for trial in result.trials] == ["complete", "failed"]
    assert "network.dropout_structure" in result.trials[1].facts["problem"]
    assert result.lines()[-1].startswith("Trial 2 failed: network.dropout_structure: ")


def test_a_trial_whose_loss_does_not_stay_finite_fails_alone(pictures, tmp_path):
    ranges = "schedule.rate = [0.01, 1e30]"
    result = tune(pictures, tmp_path, ranges=ranges, method="grid", optimizer__name="SGD", train__rollback_after=1)
    assert [trial.state for trial in result.trials] == ["complete", "failed"]
    assert result.best[0].number == 0


def test_a_trial_whose_pictures_cannot_be_read_fails_alone(pictures, tmp_path):
    broken = draw_pictures(tmp_path / "broken")
    for path in broken.glob("*.png"):
        path.write_bytes(b"no picture")
    ranges = f"data.folder = {json.dumps([str(broken), str(pictures)])}"
    result = tune(pictures, tmp_path, ranges=ranges, method="grid", trials=0)
    assert [trial.state for trial in result.trials] == ["failed", "complete"]


def test_an_interrupt_while_pictures_are_read_leaves_the_trial_to_go_on(pictures, tmp_path, monkeypatch):
    progress = FakeProgress()

    def stopped(*_args, **_named):
        progress.is_interrupted = lambda: True
        raise DatasetError("stopped by hand before the first step")

    monkeypatch.setattr(study, "train", stopped)
    result = tune(pictures, tmp_path, progress=progress)
    assert result.is_interrupted
    assert [trial.state for trial in result.trials] == ["waiting"]
    monkeypatch.undo()
    assert [trial.state for trial in tune(pictures, tmp_path).trials] == ["complete"] * 4


def test_a_full_disk_ends_the_study_and_gives_the_trial_back(pictures, tmp_path, monkeypatch):
    def refuse(*_):
        raise tuning.StudyError("the disk is full")

    monkeypatch.setattr(LocalStore, "set_point", refuse)
    with pytest.raises(tuning.StudyError, match="the disk is full"):
        tune(pictures, tmp_path)
    monkeypatch.undo()
    assert [trial.state for trial in tune(pictures, tmp_path).trials] == ["complete"] * 4


@pytest.mark.parametrize(
    ("limit", "count"), [({"max_steps": 17}, 3), ({"max_steps": "5 epochs"}, 2), ({"max_minutes": 1e-9}, 1)]
)
def test_no_trial_begins_after_the_budget_is_used_up(pictures, tmp_path, limit, count):
    result = tune(pictures, tmp_path, trials=6, **limit)
    assert len(result.trials) == count
    assert not result.is_interrupted
    assert len(tune(pictures, tmp_path, trials=6).trials) == 6


@pytest.mark.parametrize("limit", [{"max_steps": 3}, {"max_minutes": 1e-9}])
def test_a_trial_that_was_broken_off_is_finished_whatever_the_budget(pictures, tmp_path, limit):
    stopped = tune(pictures, tmp_path, progress=FakeProgress(stop_after=3), **limit)
    assert [trial.state for trial in stopped.trials] == ["waiting"]
    assert [trial.state for trial in tune(pictures, tmp_path, **limit).trials] == ["complete"]


@pytest.mark.parametrize("pruning", ["median", "Hyperband"])
def test_trials_that_fall_behind_end_early(pictures, tmp_path, pruning):
    values = [0.01, 0.011, 0.012, 0.013, 0.5, 0.4, 0.3]
    ranges = f"schedule.rate = {values}"
    result = tune(pictures, tmp_path, ranges=ranges, method="grid", trials=0, pruning=pruning, train__max_steps=16)
    early = [trial for trial in result.trials if trial.state == "pruned"]
    assert early
    assert all(trial.steps < 16 and len(trial.reports) < 8 for trial in early)
    assert result.trials[0].state == "complete"
    assert len(result.trials[0].reports) == 8
    if pruning == "median":
        assert {trial.number for trial in early} == {4, 5, 6}


def test_both_objectives_keep_what_none_beats(pictures, tmp_path):
    result = tune(pictures, tmp_path, objective="both", trials=4)
    front = {trial.number for trial in result.best}
    for trial in result.trials:
        assert len(trial.values) == 2
        beaten = any(
            all(a <= b for a, b in zip(other.values, trial.values, strict=True)) and other.values != trial.values
            for other in result.trials
        )
        assert (trial.number in front) is not beaten


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train__seed": 4}, "train.seed is 4, not 3"),
        ({"schedule__rate": "0.02"}, "schedule.rate is 0.02, not 0.01"),
        ({"method": "grid"}, "tune.method is 'grid', not 'random'"),
        ({"seed": 1}, "tune.seed is 1, not 0"),
        ({"ranges": "schedule.rate = 1e-4..1e-1 log"}, "the settings to try are others"),
    ],
)
def test_a_study_of_something_else_is_refused(pictures, tmp_path, changes, sentence):
    tune(pictures, tmp_path, trials=1)
    with pytest.raises(tuning.StudyError) as caught:
        tune(pictures, tmp_path, **changes)
    assert "the study fake is of something else: " in str(caught.value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("shared", [False, True])
def test_other_pictures_captions_and_checkpoints_are_refused(pictures, tmp_path, shared):
    url = f"sqlite:///{tmp_path}/x.db" if shared else ""
    tune(pictures, tmp_path, url, trials=1)
    (pictures / "0.txt").write_text("something else", encoding="utf-8")
    with pytest.raises(tuning.StudyError, match=r"captions edited: 0\.png"):
        tune(pictures, tmp_path, url)
    (pictures / "0.txt").write_text("picture ", encoding="utf-8")
    ports = fake_ports(tmp_path)
    other = replace(ports, checkpoint=replace(ports.checkpoint, short_hash="another"))
    settings = tuning.TuneSettings(ranges=studies.RANGES, method="random", trials=4, pictures=4)
    with pytest.raises(tuning.StudyError, match="the checkpoint is another"):
        tuning.plan_study(studies.tables(pictures), settings, other, url)


def test_another_machine_takes_the_next_trial_with_its_own_folders(pictures, tmp_path):
    url = f"sqlite:///{tmp_path}/x.db"
    moved = tmp_path / "moved"
    one = tune(pictures, tmp_path / "a", url, trials=2)
    pictures.rename(moved)
    two = tune(moved, tmp_path / "b", url, trials=4)
    assert two.trials[:2] == one.trials
    assert sorted(path.name for path in two.study.folder.glob("*.pt")) == ["fake-003.pt", "fake-004.pt"]


@pytest.mark.parametrize("shared", [False, True])
def test_the_trial_of_a_worker_that_is_gone_or_silent_is_taken_up_again(pictures, tmp_path, shared, monkeypatch):
    url = f"sqlite:///{tmp_path}/x.db" if shared else ""
    plan = tune(pictures, tmp_path, url, trials=1).study
    gone = json.dumps({"host": trials.platform.node(), "pid": 2**22 + 1, "started": 0})
    plan.store._me = gone
    assert plan.store.claim(1).number == 1
    plan.store.set_point(1, {"schedule.rate": 0.0123, "network.activation": "mish"})
    result = tune(pictures, tmp_path, url, trials=2)
    assert [trial.state for trial in result.trials] == ["complete", "complete"]
    assert result.trials[1].point["schedule.rate"] == 0.0123, "with the values that it had"
    plan.store._me = json.dumps({"host": "elsewhere", "pid": 1, "started": 0})
    assert plan.store.claim(2).number == 2
    assert len(tune(pictures, tmp_path, url, trials=2).trials) == 3, "nobody waits for more than is asked for"
    other = tuning.plan_study(
        studies.tables(pictures),
        tuning.TuneSettings(ranges=studies.RANGES, method="random", trials=4, pictures=4),
        fake_ports(tmp_path),
        url,
    ).study.store
    assert other.claim(2) is None, "it may be at work"
    module = sys.modules[type(other).__module__]
    if shared:
        monkeypatch.setattr(other._storage, "grace_period", -1)
    else:
        monkeypatch.setattr(module, "GRACE_S", -1.0)
    assert other.claim(2).number == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train__validation_share": 0}, "train.validation_share: is 0, but the trials are judged by validation loss"),
        ({"network__file": "x.pt"}, "network.file: names a network, whose shape is what it is"),
        (
            {"method": "grid", "ranges": "train.seed = 1..1000 step 1\ntrain.ema_decay = 0..0.9 step 0.001"},
            "tune.method: a grid would have 901000 combinations; choose random or TPE",
        ),
        ({"train__max_steps": 0}, "train.max_steps: must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(pictures, tmp_path, changes, sentence):
    with pytest.raises(SettingsError) as caught:
        tune(pictures, tmp_path / "a", **changes)
    assert sentence in str(caught.value)
    assert not (tmp_path / "a" / "logs" / "fake-tuning").exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://x/y", "--study: must begin with sqlite:/// or postgresql://, not mysql"),
        ("study.db", "--study: must begin with sqlite:/// or postgresql://, not study.db"),
    ],
)
def test_an_address_of_no_database_is_refused(pictures, tmp_path, url, sentence):
    with pytest.raises(SettingsError, match=sentence):
        tune(pictures, tmp_path, url)


@pytest.mark.parametrize(
    ("given", "url", "sentence"),
    [
        ({"method": "TPE"}, "", "tune.method: TPE needs Optuna, which is not installed: run "),
        ({"pruning": "median"}, "", "tune.pruning: median needs Optuna, which is not installed: run "),
        ({}, "sqlite:///x.db", "--study: a shared study needs Optuna, which is not installed: run "),
    ],
)
def test_without_optuna_one_sentence_says_what_to_install(pictures, tmp_path, monkeypatch, given, url, sentence):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError) as caught:
        tune(pictures, tmp_path, url, **given)
    assert sentence in str(caught.value)
    assert "-m pip install optuna" in str(caught.value)
    assert len(tune(pictures, tmp_path, trials=2).trials) == 2, "a random search works without it"
    grid = tune(pictures, tmp_path / "b", method="grid", ranges="train.seed = [1, 2]")
    assert len(grid.trials) == 2
