"""The tab Train Tuning on the embedded host with a tiny checkpoint."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError, TrainingError

RANGES = "schedule.rate = 1e-3..1e-1 log"


@pytest.fixture
def train(train):
    train.look(train__max_steps=2)
    return train


class Tuning:
    """The tab without a browser."""

    def __init__(self, train):
        import gradio as gr
        from hypernetwork_workbench.patches.tabs.tuning import tab

        with warnings.catch_warnings(), gr.Blocks():
            warnings.simplefilter("ignore")
            self.handlers = tab.make_tab(train.handlers)
        self.train = train
        self.form = self.handlers.form
        self.entered = {field.name: field.component.value for field in self.form.fields}
        self.start_objective, self.entered["objective"] = self.entered["objective"], "validation loss"

    def start(self, url="", **entered):
        self.entered |= entered
        values = (*self.entered.values(), *self.train.entered.values())
        self.study, self.status = self.handlers.start("task(x)", url, *values)
        return self.study["value"] if isinstance(self.study, dict) and "value" in self.study else None

    def look(self, **entered):
        self.entered |= entered
        count, *messages = self.handlers.look(*self.entered.values())
        names = [field.name for field in self.form.fields]
        return count, {name: one["value"] for name, one in zip(names, messages, strict=True) if one["visible"]}


@pytest.fixture
def tuning(train):
    return Tuning(train)


@pytest.fixture
def work(patched):
    """Return what the tab does with studies; what it has noted is its own."""
    from hypernetwork_workbench.patches.tabs.tuning import work

    return importlib.reload(work)


@pytest.mark.parametrize(("is_installed", "method"), [(True, "TPE"), (False, "random")])
def test_the_page_begins_with_a_method_that_works_here(train, monkeypatch, is_installed, method):
    if not is_installed:
        monkeypatch.setitem(sys.modules, "optuna", None)
    tuning = Tuning(train)
    assert tuning.entered["method"] == method
    assert tuning.start_objective == "style distance", "the validation loss needs a share that the form begins without"
    assert tuning.look(ranges=RANGES)[1] == {}


def test_the_entry_is_judged_while_it_is_filled_in(tuning):
    assert tuning.look()[1]["ranges"] == "name at least one setting to try, such as schedule.rate = 1e-4..1e-2 log"
    assert "&#39;schedule.rate&#39; must have the form" in tuning.look(ranges="schedule.rate")[1]["ranges"]
    assert "tune.trials" in tuning.look(ranges="tune.trials = [1, 2]")[1]["ranges"]
    count, problems = tuning.look(ranges=RANGES + "\noptimizer.rate = 1..2", method="random")
    assert count == ""
    assert problems == {"ranges": "optimizer.rate: there is no such setting; do you mean schedule.rate?"}
    count, problems = tuning.look(ranges=RANGES, method="grid", grid_points=5)
    assert "The study has up to 5 trials." in count
    assert problems == {}
    assert "The study has one trial." in tuning.look(trials=1)[0]
    count, problems = tuning.look(trials=0, ranges="", method="TPE", creation_files="a, b, c", training_files="x, y")
    assert "The study has up to 6 trials." in count
    assert "names a file twice" in tuning.look(creation_files="a, a")[1]["creation_files"]
    tuning.look(ranges=RANGES, creation_files="", training_files="")
    assert "goes by one number" in tuning.look(objective="both", pruning="median")[1]["pruning"]


@pytest.mark.slow
def test_a_study_is_done_answered_and_taken(tuning, train):
    ink = Path(train.entered["data.folder"])
    assert ink.is_dir()
    folder = tuning.start(ranges=RANGES, method="grid", grid_points=2)
    assert "The study has 2 whole trials, 0 ended early and 0 failed." in tuning.status
    assert "Best is trial " in tuning.status
    trials, answer, sheet, table, *plots = tuning.handlers.show(folder)
    assert [plot["visible"] for plot in plots] == [bool(importlib.util.find_spec("plotly"))] * 2 + [False] * 2
    assert sorted(words[:2] for words in trials["choices"]) == ["1:", "2:"]
    assert trials["value"] == trials["choices"][0]
    second = next(words for words in trials["choices"] if words.startswith("2:"))
    drawn = () if importlib.util.find_spec("plotly") else ("Trials as lines",)
    for words in ("<td>whole</td>", "Learning rate", "Loss curves", *drawn):
        assert words in answer
    assert [Path(path).name for path in sheet["value"]] == ["sheet.png"]
    assert Path(table["value"]).read_text(encoding="utf-8-sig").startswith("trial,state,validation loss,schedule.rate")

    status, *updates = tuning.handlers.take_settings(train.handlers)(folder, second, *train.entered.values())
    assert "The form of Train Gamma has the settings of trial 2 now." in status
    train.take(train.handlers.filled, updates)
    assert train.entered["schedule.rate"] == "0.1"
    assert train.entered["network.file"] == "ink"
    from modules import shared

    before = files.load(shared.hypernetworks["ink"]).state_dict()
    for name in ("ink-002", "ink-002 2"):
        assert f"Saved as {name}.pt in " in tuning.handlers.take_network(folder, second)
        taken = files.load(shared.hypernetworks[name])
        assert taken.metadata.step == 2
    assert all(
        (before[key] == weight).all() for key, weight in files.load(shared.hypernetworks["ink"]).state_dict().items()
    )
    assert tuning.handlers.listing("")[0]["choices"] == ["ink"] == [folder]


@pytest.mark.slow
@pytest.mark.long("test_a_study_is_done_answered_and_taken")
def test_the_answer_of_a_shared_study_is_its_own(tuning, work, tmp_path):
    pytest.importorskip("optuna")
    tuning.train.entered["output.name"] = "both"
    alone = tuning.start(ranges="schedule.rate = [0.001]", method="grid", trials=0)
    shared = tuning.start(f"sqlite:///{tmp_path}/x.db", ranges="schedule.rate = [0.002, 0.003]")
    assert "The study has 2 whole trials" in tuning.status
    assert alone == "both"
    assert shared.startswith("both-shared-")
    assert {alone, shared} <= set(tuning.study["choices"])
    assert tuning.handlers.listing(shared)[0]["value"] == shared
    rates = {name: tuning.handlers.show(name)[1] for name in (alone, shared)}
    assert "0.003" in rates[shared]
    assert "0.003" not in rates[alone]
    folders = {work.answer_of(name).study.folder for name in (alone, shared)}
    assert len(folders) == 2, "no trial of one replaces that of the other"


@pytest.mark.slow
def test_a_study_elsewhere_is_found_after_a_restart_and_one_whose_folder_is_gone_is_not(tuning, work, tmp_path):
    place = tmp_path / "elsewhere"
    tuning.train.entered |= {"output.name": "far", "output.dir": str(place)}
    found = tuning.start(ranges="schedule.rate = [0.001]", method="grid", trials=0)
    assert found == str(place / "far-tuning")
    importlib.reload(work)
    assert tuning.handlers.listing(found)[0]["value"] == found
    assert "0.001" in tuning.handlers.show(found)[1]
    shutil.rmtree(place)
    assert found not in tuning.handlers.listing(found)[0]["choices"]
    assert "choose a study first" in tuning.handlers.show(found)[1]


@pytest.mark.slow
def test_an_answer_that_cannot_be_written_is_told_in_one_sentence(tuning, work, monkeypatch):
    tuning.train.entered["output.name"] = "unwritten"
    name = tuning.start(ranges="schedule.rate = [0.001]", method="grid", trials=0)

    def refuse(_answer):
        raise HypernetworkFileError("table.csv cannot be written: the disk is full")

    monkeypatch.setattr(work.Answer, "write", refuse)
    assert "table.csv cannot be written: the disk is full" in tuning.handlers.show(name)[1]


@pytest.mark.slow
def test_shapes_are_tried_on_new_networks(tuning):
    chosen = tuning.train.entered["network.file"]
    folder = tuning.start(ranges="network.activation = [relu, mish]", method="grid", trials=0)
    trials, answer, *_ = tuning.handlers.show(folder)
    first = next(words for words in trials["choices"] if words.startswith("1:"))
    assert "mish" in answer
    assert Path(folder).name.startswith(chosen)  # which names the study, and is not trained
    assert (
        "Its network was a new one: activation = relu."
        in tuning.handlers.take_settings(tuning.train.handlers)(folder, first, *tuning.train.entered.values())[0]
    )


def test_what_is_wrong_is_said_in_the_words_of_both_forms(tuning, train):
    assert tuning.start(ranges="") is None
    assert "Settings to try: name at least one setting to try" in tuning.status
    assert tuning.handlers.ended_with == tuning.status
    train.entered["train.validation_share"] = 0
    tuning.start(ranges=RANGES, method="random")
    assert "Validation share: is 0, but the trials are judged by validation loss" in tuning.status
    assert tuning.status.count("That is entered in Train Gamma.") == 1
    train.entered["network.file"] = ""
    tuning.start()
    assert "choose a network; create one first" in tuning.status
    tuning.start(ranges="")
    assert "Train Gamma" not in tuning.status


def test_a_study_is_added_to_the_queue_as_it_stands(tuning, monkeypatch):
    from hypernetwork_workbench.patches.tabs.tuning import handlers

    jobs = []
    monkeypatch.setattr(handlers, "added", lambda job: jobs.append(job) or "Added.")
    tuning.entered |= {"ranges": RANGES, "method": "random", "trials": 3}
    values = (*tuning.entered.values(), *tuning.train.entered.values())
    assert "Added." in tuning.handlers.queue("", *values)
    assert (jobs[0].title, jobs[0].units, jobs[0].tune.method) == ("ink", 6, "random")
    assert "is left to Start the study" in tuning.handlers.queue("sqlite:///x.db", *values)
    tuning.entered["ranges"] = ""
    values = (*tuning.entered.values(), *tuning.train.entered.values())
    assert "name at least one setting to try" in tuning.handlers.queue("", *values)
    assert len(jobs) == 1


@pytest.mark.parametrize(
    ("entered", "share", "said"),
    [
        ({}, 0, "Validation share: is 0, but the trials are judged by validation loss"),
        ({"training_files": "nowhere.json"}, 0.2, "Training files: there is no file &#39;nowhere.json&#39; in "),
    ],
)
def test_a_study_that_cannot_be_begun_does_not_come_into_the_queue(tuning, monkeypatch, entered, share, said):
    from hypernetwork_workbench.patches.tabs.tuning import handlers

    monkeypatch.setattr(handlers, "added", lambda job: pytest.fail(f"{job.title} came into the queue"))
    tuning.entered |= {"ranges": RANGES, "method": "random", **entered}
    tuning.train.entered["train.validation_share"] = share
    assert said in tuning.handlers.queue("", *tuning.entered.values(), *tuning.train.entered.values())


def test_new_networks_are_called_as_the_chosen_one_where_no_name_is_entered(tuning):
    tuning.entered["ranges"] = "network.activation = [relu, mish]"
    tables, _ = tuning.handlers._study((*tuning.entered.values(), *tuning.train.entered.values()))
    assert tables["output"]["name"] == "ink"
    assert not tables["network"]
    tuning.train.entered["network.file"] = ""
    assert "Save as: give the network a name" in tuning.handlers.queue(
        "", *tuning.entered.values(), *tuning.train.entered.values()
    )


def test_nothing_is_taken_where_nothing_is_chosen(tuning):
    trials, answer, *_ = tuning.handlers.show("")
    assert trials["choices"] == []
    assert "There is no study yet." in answer
    assert "choose a study first" in tuning.handlers.take_network("", "")


def test_the_run_lock_holds_a_study_too(tuning):
    from hypernetwork_workbench.patches.runs.run import runs
    from hypernetwork_workbench.patches.tabs.train import buttons

    with runs.hold("other"):
        _, said = buttons.one_at_a_time(tuning.handlers.start)("task(y)", "", *tuning.entered.values())
    assert "is being trained" in said


@pytest.mark.slow
def test_a_page_that_is_opened_during_a_study_keeps_its_form_and_follows(tuning, monkeypatch):
    from hypernetwork_workbench.patches.runs import tuning as studies
    from hypernetwork_workbench.patches.runs.run import runs

    seen = []

    def look(plan, ports):
        seen.append((runs.active.line(), tuning.train.handlers.show_active(*tuning.train.entered.values())))
        assert tuning.handlers.active_task() == "task(study)"
        assert "when its first trial has ended" in tuning.handlers.show("")[1]
        raise TrainingError("that is enough")

    monkeypatch.setattr(studies, "run_study", look)
    assert tuning.handlers.active_task() == ""
    with runs.hold("ink", task="task(study)"):
        assert tuning.handlers.active_task() == "", "it is no study yet"
        tuning.start(ranges=RANGES, method="random")
    (line, (task, *updates)) = seen[0]
    assert "ink-tuning is being trained" in line
    assert task == "task(study)"
    assert all(set(update) == {"__type__"} for update in updates)
