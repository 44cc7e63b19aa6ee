"""`launch.py queue`: jobs are added, ordered and shown without a host; a kill in a job costs nothing of its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.queue import Queue

from tests.support import commands, pictures

JOB = """
[network]
layer_structure = [1, 1, 1]
dropout_structure = [0, 0.2, 0]

[data]
folder = "pictures"
width = 64
height = 64
batch_size = 2

[schedule]
rate = 0.01

[train]
max_steps = 8

[output]
name = "small"
sheet = false

[evaluation]
measures = "none"
"""
MERGE = '[merge]\nnetwork_1 = "one"\nnetwork_2 = "two"\n\n[result]\nname = "both"\n'


@pytest.fixture(scope="module")
def command(quick):
    return quick("standalone.queue_command")


@pytest.fixture
def job(tmp_path):
    pictures.captioned(tmp_path / "pictures")
    (tmp_path / "job.toml").write_text(JOB)
    (tmp_path / "merge.toml").write_text(MERGE)
    return tmp_path / "job.toml"


@pytest.fixture
def asked(command, tmp_path):
    """Return a function that runs a command on the queue of a folder, and returns what it said."""

    def ask(*words, code=0):
        answer = command(*words, "--data-dir", tmp_path / "host")
        assert answer.returncode == code, answer.stderr
        return answer.stderr if code else answer.stdout

    return ask


def test_a_file_with_settings_of_a_study_is_trained_too(asked, job):
    job.write_text(JOB + '[tune]\nranges = "train.seed = [1, 2]"\nobjective = "style distance"\n')
    said = asked("add", job, "--kind", "train")
    assert said == "[tune] is for jobs of the kind tune, and changes nothing here.\nAdded as job 1: train small\n"
    assert asked("add", job) == "Added as job 2: tune small\n"
    job.write_text(JOB + '[tune]\nmethod = "magic"\n')
    assert "tune.method" in asked("add", job, "--kind", "train", code=2)


def test_jobs_are_added_ordered_and_shown(asked, job, tmp_path):
    assert asked("list") == "The queue is empty.\n"
    assert asked("add", job) == "Added as job 1: train small\n"
    assert asked("add", job, "--set", "output.name=other", "--kind", "continue", "--after", "1").startswith("Added as")
    assert asked("add", job.parent / "merge.toml") == "Added as job 3: merge both\n"
    asked("move", "3", "first")
    asked("pause", "1")
    asked("cancel", "3")
    assert "after 1  It cannot begin: job 1, which has to be done before it, is paused." in asked("list")
    listed = json.loads(asked("list", "--json"))
    assert [(one["id"], one["state"], one["kind"], one["after"]) for one in listed] == [
        (1, "paused", "train", None),
        (2, "waiting", "continue", 1),
        (3, "cancelled", "merge", None),
    ]
    assert listed[0]["tables"]["data"]["folder"] == str(tmp_path / "pictures")
    asked("after", "2")
    asked("go-on", "1")
    asked("retry", "3")
    asked("hold")
    assert "The queue is held" in asked("list")
    asked("release")
    asked("remove", "1")
    lines = asked("list").splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["2", "waiting", "continue", "other"],
        ["3", "waiting", "merge", "both"],
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cancel", "9"), "job: there is no job 9"),
        (("move", "1", "sideways"), "invalid choice"),
        (("add", "{folder}/none.toml"), "cannot be read"),
        (("add", "{folder}/job.toml", "--set", "train.max_steps=0"), "train.max_steps"),
        (("add", "{folder}/job.toml", "--kind", "merge"), "belongs into [merge] or [result]"),
        (("add", "{folder}/job.toml", "--after", "9"), "there is no job 9"),
        (("dance",), "invalid choice"),
    ],
)
def test_what_is_entered_wrong_is_one_sentence(asked, job, words, said):
    told = asked(*(word.format(folder=job.parent) for word in words), code=2)
    assert said in told
    assert "Traceback" not in told


def test_the_model_of_a_tagger_counts_from_the_folder_of_its_file(asked, tmp_path):
    text = '[data]\nfolder = "pictures"\n[caption]\nmodel = "tagger/model.onnx"\n'
    (tmp_path / "caption.toml").write_text(text, encoding="utf-8")
    assert asked("add", tmp_path / "caption.toml") == "Added as job 1: caption pictures\n"
    added = Queue.of(tmp_path / "host").get(1).job()
    assert added.caption.model == str(tmp_path / "tagger" / "model.onnx")


def test_paths_of_a_study_count_from_the_folder_of_its_file(asked, job, tmp_path):
    tune = '[tune]\nobjective = "style distance"\ntraining_files = "a,b"\n[tune.ranges]\n'
    tune += 'data.folder = ["pictures", "/other"]\n'
    (tmp_path / "tune.toml").write_text(job.read_text().replace("[evaluation]", f"{tune}[evaluation]"))
    assert asked("add", tmp_path / "tune.toml") == "Added as job 1: tune small\n"
    added = Queue.of(tmp_path / "host").get(1).job()
    assert added.tune.ranges == f'data.folder = ["{tmp_path / "pictures"}", "/other"]'
    assert added.near == str(tmp_path)


def start(folder, checkpoint):
    words = ("run", "--ckpt", checkpoint, "--data-dir", folder)
    return commands.start("standalone.queue_command", *words, stderr=subprocess.PIPE)


def weights(folder, name):
    return [one.tolist() for one in files.load(folder / "models" / "hypernetworks" / f"{name}.pt").parameters()]


@pytest.mark.long("tests/patches/queue/test_worker.py::test_the_end_of_the_process_leaves_the_job_to_the_next_one")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills in another way")
def test_a_kill_in_the_middle_of_five_jobs_costs_nothing(asked, job, tmp_path, checkpoint):
    for name, more in (("one", ()), ("two", ("--set", "output.save_every=10", "--set", "train.max_steps=60"))):
        asked("add", job, "--set", f"output.name={name}", *more)
    asked("add", job.parent / "merge.toml")
    asked("add", job, "--kind", "continue", "--set", "output.name=one", "--set", "train.max_steps=10")
    asked("add", job, "--set", "output.name=two whole", "--set", "output.save_every=10", "--set", "train.max_steps=60")
    queue = Queue.of(tmp_path / "host")
    first = start(tmp_path / "host", checkpoint)
    deadline = time.monotonic() + 120
    folder = tmp_path / "host" / "outputs" / "training" / "two"
    while not list(folder.glob("two-0000*.pt.state")):
        assert time.monotonic() < deadline, queue.entries()
        assert first.poll() is None, first.stderr.read().decode()
        time.sleep(0.02)
    first.kill()
    first.wait()
    first.stderr.close()
    assert {one.title: one.state for one in queue.entries()}["two"] == "running"
    second = start(tmp_path / "host", checkpoint)
    assert second.wait(240) == 0, second.stderr.read().decode()
    second.stderr.close()
    assert [(one.id, one.state) for one in sorted(queue.entries(), key=lambda one: one.id)] == [
        (number, "done") for number in range(1, 6)
    ]
    two = queue.get(2)
    assert (two.attempts, two.crashes) == (2, 1)
    assert weights(tmp_path / "host", "two") == weights(tmp_path / "host", "two whole")
    assert "Trained 2 steps" in queue.get(4).outcome


@pytest.mark.skipif(os.name == "nt", reason="this system asks in another way")
def test_ctrl_c_leaves_the_job_to_the_next_time(asked, job, tmp_path, checkpoint):
    asked("add", job, "--set", "train.max_steps=100000")
    queue = Queue.of(tmp_path / "host")
    running = start(tmp_path / "host", checkpoint)
    deadline = time.monotonic() + 120
    while not queue.get(1).text.startswith("step"):
        assert time.monotonic() < deadline
        assert running.poll() is None, running.stderr.read().decode()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    running.stderr.close()
    entry = queue.get(1)
    assert (entry.state, entry.crashes) == ("interrupted", 0)
    assert (tmp_path / "host" / "models" / "hypernetworks" / "small.pt").is_file()
