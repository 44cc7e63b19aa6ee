"""`launch.py tune`: what it writes, and one sentence for everything that is entered wrong."""

import json

import pytest

from tests.support import pictures

JOB = """
[data]
folder = "pictures"
width = 64
height = 64
batch_size = 2

[schedule]
rate = 0.01

[train]
max_steps = 2
validation_share = 0.4

[preview]
sampling_steps = 1

[output]
name = "small"
dir = "out"

[tune]
method = "grid"
objective = "both"
pictures = 4

[tune.ranges]
schedule.rate = "1e-4..1e-2 log"
network.activation = ["relu", "mish"]
"""


@pytest.fixture(scope="module")
def tune(quick):
    """Return `launch.py tune`."""
    return quick("standalone.tune_command")


@pytest.fixture
def job(tmp_path):
    """Return a job file beside a folder of three pictures."""
    pictures.captioned(tmp_path / "job" / "pictures", size=(64, 80))
    path = tmp_path / "job" / "job.toml"
    path.write_text(JOB)
    return path


@pytest.mark.slow
def test_a_study_on_the_host_goes_on_where_it_was_and_reports(tune, job, tmp_path, checkpoint):
    report = tmp_path / "report.json"
    arguments = [job, "--ckpt", checkpoint, "--data-dir", tmp_path / "host", "--report", report, "--trials"]
    first = tune(*arguments, 1)
    assert first.returncode == 0, first.stderr
    result = tune(*arguments, 3, "--set", "output.sheet=false")
    assert result.returncode == 0, result.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3
    assert [trial["settings"] for trial in found["trials"]] == [
        {"schedule.rate": "0.0001", "network.activation": "relu"},
        {"schedule.rate": "0.0001", "network.activation": "mish"},
        {"schedule.rate": "0.001", "network.activation": "relu"},
    ]
    for trial in found["trials"]:
        assert trial["values"].keys() == {"validation loss", "style distance"}
        assert (job.parent / "out" / "small-tuning" / trial["network"]).is_file()
    assert f"Best is trial {found['best'][0]}, validation loss " in result.stdout
    assert "trial 1 of 3" not in result.stderr, "it is done"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.toml"], "none.toml: the job file cannot be read: No such file or directory"),
        ([], "tune: the following arguments are required: JOB.toml"),
        (["{job}", "--trials", "many"], "tune.trials: must be a number, not 'many'"),
        (["{job}", "--set", "tune.method=magic"], "tune.method: must be one of grid, random, TPE, not 'magic'"),
        (["{job}", "--set", "tune.ranges=schedule.rate = 3"], "schedule.rate: must be a range such as"),
        (["{job}", "--set", "train.validation_share=0"], "train.validation_share: is 0, but the trials are judged by"),
        (["{job}", "--set", "tune.training_files=none"], "tune.training_files: there is no file 'none' in "),
        (["{job}", "--study", "mysql://x"], "--study: must begin with sqlite:/// or postgresql://, not mysql"),
        (["{job}", "--set", "data.folder={tmp}/none"], "data.folder: {tmp}/none is not a folder"),
    ],
)
def test_what_is_entered_wrong_is_one_sentence_and_nothing_is_written(
    tune, job, tmp_path, checkpoint, arguments, sentence
):
    before = sorted(job.parent.rglob("*"))
    words = [word.format(job=job, tmp=tmp_path) for word in arguments]
    more = ["--ckpt", checkpoint, "--data-dir", tmp_path / "host"] if words else []
    result = tune(*words, *more)
    assert result.returncode == 2, result.stdout + result.stderr
    said = [line for line in result.stderr.splitlines() if not line.startswith(("Loading", "Pictures: ", "Captions: "))]
    assert len(said) == 1, result.stderr
    assert sentence.format(job=job, tmp=tmp_path) in said[0]
    assert sorted(job.parent.rglob("*")) == before


def test_a_job_to_train_may_have_the_section(command, job, tmp_path, checkpoint):
    arguments = ["--ckpt", checkpoint, "--data-dir", tmp_path / "host", "--set", "data.folder=/none"]
    result = command(job, *arguments)
    assert "[tune] is for launch.py tune, and changes nothing here." in result.stderr
    assert "data.folder: /none is not a folder" in result.stderr
    wrong = command(job, *arguments, "--set", "tune.method=magic")
    assert wrong.stderr.startswith("tune.method: must be one of grid")
