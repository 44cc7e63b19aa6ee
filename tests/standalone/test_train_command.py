"""`launch.py train`: what it writes, and one sentence for everything that is entered wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from PIL import Image

from tests.support import pictures, webui_reader

JOB = """
[data]
folder = "pictures"
width = 64
height = 64
batch_size = 2

[schedule]
rate = 0.01

[train]
max_steps = 4

[preview]
every = 2
sampling_steps = 2

[output]
name = "small"
dir = "out"
"""


@pytest.fixture
def job(tmp_path):
    """Return a job file beside a folder of three pictures."""
    pictures.captioned(tmp_path / "job" / "pictures", size=(64, 80))
    path = tmp_path / "job" / "job.toml"
    path.write_text(JOB)
    return path


@pytest.mark.slow
def test_a_job_writes_network_sheet_log_and_report(command, job, tmp_path, checkpoint):
    report = tmp_path / "report.json"
    result = command(
        job,
        "--ckpt",
        checkpoint,
        "--data-dir",
        tmp_path / "host",
        "--report",
        report,
        "--set",
        "train.max_steps=5",
        "--set",
        "network.activation=mish",
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["steps"] == 5
    assert found["seconds"] > 0
    assert found["peak_memory_mb"] > 100
    assert set(found["files"]) == {"network", "sheet", "log"}
    assert Path(found["files"]["network"]) == job.parent / "out" / "small.pt"
    assert all(Path(path).is_file() for path in found["files"].values())
    assert found["files"]["network"] in result.stdout

    # What the WebUI would make of the file is what we make of it.
    ours, theirs = files.load(found["files"]["network"]), webui_reader.read(found["files"]["network"])
    assert ours.structure.activation == "mish"
    for width in ours.widths:
        x = torch.randn(2, 5, width)
        for one, other in zip(ours.transform(x, 0.7), theirs.transform(x, 0.7), strict=True):
            assert torch.allclose(one, other, atol=1e-6)

    with Image.open(found["files"]["sheet"]) as sheet:
        assert np.asarray(sheet).std() > 0


@pytest.mark.slow
@pytest.mark.long(
    "tests/patches/tabs/test_train_tab.py::test_find_a_rate_answers_with_a_rate_its_chart_and_a_button_and_leaves_all_as_it_was"
)
def test_find_rate_tells_a_rate_and_trains_nothing(command, job, tmp_path, checkpoint):
    report, host = tmp_path / "report.json", tmp_path / "host"
    arguments = ["--ckpt", checkpoint, "--data-dir", host, "--report", report, "--find-rate"]
    result = command(job, *arguments, "--set", "train.max_steps=6")
    assert result.returncode == 0, result.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["doubt"] is None
    assert found["low"] <= found["rate"] <= found["high"]
    assert f"A learning rate of {found['schedule_rate']} suits this run of 6 steps" in result.stdout
    assert f'In [schedule] of the job file: rate = "{found["schedule_rate"]}"' in result.stdout
    assert found["steps"] >= sum(trial["steps"] for trial in found["trials"] if trial["loss"] is not None)
    assert not list(tmp_path.rglob("*.pt"))
    assert not (job.parent / "out").exists()
    result = command(job, *arguments, "--set", "optimizer.name=Prodigy")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"No learning rate can be told: {json.loads(report.read_text())['doubt']}.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.toml"], "none.toml: the job file cannot be read: No such file or directory"),
        ([], "the following arguments are required: JOB.toml"),
        (["{job}", "--find-rate", "--resume"], "argument --resume: not allowed with argument --find-rate"),
        (["{job}", "--find-rate", "--nproc", "2"], "argument --nproc: not allowed with argument --find-rate"),
        (["{job}", "--nproc", "0"], "argument --nproc: must be a whole number from 1 to 256, not '0'"),
        (["{job}", "--nproc", "two"], "argument --nproc: must be a whole number from 1 to 256, not 'two'"),
        (["{job}", "--nproc", "2", "--set", "train.max_steps=0"], "train.max_steps: must be at least 1, not 0"),
        (["{job}", "more.toml"], "unrecognized arguments: more.toml"),
        (["{job}", "--speed", "9"], "unrecognized arguments: --speed 9"),
        (["{job}", "--set", "train.max_steps"], "--set: 'train.max_steps' must have the form section.key=value"),
        (["{job}", "--set", "train.max_steps=0"], "train.max_steps: must be at least 1, not 0"),
        (["{job}", "--set", "train.speed=3"], "train.speed: there is no such setting"),
        (["{job}", "--set", "colour.red=3"], "colour: there is no such section"),
        (["{job}", "--set", "data.folder={tmp}/none"], "data.folder: {tmp}/none is not a folder"),
        (["{job}", "--set", "network.file={tmp}/none.pt"], "network.file: none.pt: "),
        (["{job}", "--set", "preview.sampler=Magic"], "preview.sampler: must be one of "),
        (["{job}", "--set", "schedule.rate=fast"], "schedule.rate: 'fast' is no learning rate"),
        (["{job}", "--set", "evaluation.measures=magic"], "evaluation.measures: must be one of none, shapes"),
        (["{job}", "--report", "{tmp}/no/folder/r.json"], "--report: the folder {tmp}/no/folder does not exist"),
        (["{job}", "--report", "{tmp}"], "--report: {tmp} is a folder; name a file"),
        (["{job}", "--ckpt", "{tmp}/none.safetensors"], "--ckpt: {tmp}/none.safetensors is not there"),
        (["{job}", "--ckpt", "{job}"], "--ckpt: job.toml is neither a .safetensors nor a .ckpt file"),
        (["{job}", "--data-dir", "{job}/below"], "--data-dir: "),
        (["{job}", "--report", "https://x.org/r.json"], "argument --report: is an address of a network"),
        (["{job}", "--set", "data.folder=$PICTURES/night"], "data.folder: has the variable $PICTURES in it"),
        (["{job}", "--set", "train.max_step=3"], "train.max_step: there is no such setting; do you mean max_steps?"),
    ],
)
def test_what_is_entered_wrong_is_one_sentence_and_nothing_is_written(
    command, job, tmp_path, checkpoint, arguments, sentence
):
    before = sorted(job.parent.rglob("*"))
    words = [word.format(job=job, tmp=tmp_path) for word in arguments]
    fallback = [] if "--ckpt" in words or "none.toml" in words or not words else ["--ckpt", str(checkpoint)]
    data = [] if "--data-dir" in words or not words else ["--data-dir", str(tmp_path / "host")]
    result = command(*words, *fallback, *data)
    assert result.returncode == 2, result.stdout + result.stderr
    # What was found in the dataset by then is told too.
    facts = ("Loading", "Pictures: ", "Captions: ")
    said = [line for line in result.stderr.splitlines() if not line.startswith(facts)]
    assert len(said) == 1, result.stderr
    assert sentence.format(job=job, tmp=tmp_path) in said[0]
    assert sorted(job.parent.rglob("*")) == before


def test_a_run_that_fails_on_the_pictures_ends_with_1_and_names_them(command, job, tmp_path, checkpoint):
    (job.parent / "pictures" / "broken.png").write_bytes(b"no picture")
    result = command(job, "--ckpt", checkpoint, "--data-dir", tmp_path / "host", "--set", "data.stop_at_broken=true")
    assert result.returncode == 1
    assert "broken.png: the picture cannot be read" in result.stderr
    assert not (job.parent / "out").exists()
