"""`launch.py train --resume` on the real host: N steps and N more are 2N steps, also after a kill."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch
from hypernetwork_workbench.hypernetworks import files

from tests.support import commands, pictures
from tests.support.runs import read_log

STEPS = 12
JOB = """
[network]
dropout_structure = [0, 0.2, 0]

[data]
folder = "pictures"
width = 64
height = 64
batch_size = 2
caption_dropout = 0.3

[schedule]
rate = 0.01
kind = "cosine restarts"
cycle = 5
warmup = 1

[train]
max_steps = 12
gradient_accumulation = 2
ema_decay = 0.9
validation_share = 0.2
validation_every = 4

[preview]
every = 3
sampling_steps = 2

[output]
name = "small"
sheet = false
save_every = 3
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    pictures.captioned(folder / "pictures", 6, (64, 80))
    (folder / "job.toml").write_text(JOB)
    return folder / "job.toml"


def words(job, checkpoint, out, *arguments):
    return [job, "--ckpt", checkpoint, "--data-dir", out.parent / "host", "--set", f"output.dir={out}", *arguments]


def start(*of):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return commands.start("standalone.train_command", *words(*of), **quiet)


@pytest.fixture(scope="module")
def finish(command):
    """Return a function that runs a job to its end."""

    def run(*of):
        done = command(*words(*of))
        assert done.returncode == 0, done.stderr

    return run


def outcome(out):
    """Weights and log of a run, without the clock."""
    log = [
        {key: value for key, value in row.items() if key != "seconds"} for row in read_log(out / "small" / "log.csv")
    ]
    return dict(files.load(out / "small.pt").state_dict()), log


def assert_same(one, other):
    assert one[0].keys() == other[0].keys()
    assert all(torch.equal(one[0][name], other[0][name]) for name in one[0])
    assert one[1] == other[1]


@pytest.fixture(scope="module")
def whole(finish, job, checkpoint, tmp_path_factory):
    """Return the outcome of all steps at once."""
    out = tmp_path_factory.mktemp("whole") / "out"
    finish(job, checkpoint, out)
    weights, log = outcome(out)
    assert [row["step"] for row in log] == [str(step + 1) for step in range(STEPS)]
    assert len(list((out / "small" / "previews").glob("step-*.png"))) == STEPS // 3
    return weights, log


@pytest.mark.slow
def test_a_run_in_two_halves_is_the_whole_run(finish, job, checkpoint, whole, tmp_path):
    # The first half ends at a numbered copy; what came after it is as if it had never been.
    finish(job, checkpoint, tmp_path / "out", "--set", "train.max_steps=6")
    finish(job, checkpoint, tmp_path / "out", "--resume")
    assert_same(outcome(tmp_path / "out"), whole)


@pytest.mark.long("test_a_run_in_two_halves_is_the_whole_run")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_killed_in_its_second_half_goes_on_from_the_last_save(finish, job, checkpoint, whole, tmp_path):
    out = tmp_path / "out"
    log = out / "small" / "log.csv"
    # Long previews leave time to kill it before the end; they do not touch what is trained.
    with start(job, checkpoint, out, "--set", "preview.sampling_steps=100") as process:
        deadline = time.monotonic() + 240
        while not (log.exists() and len(log.read_text(encoding="utf-8").splitlines()) > 1 + STEPS // 2 + 1):
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline, "the run does not get on"
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert not (out / "small.pt").exists()
    assert (out / "small" / "small-000006.pt").exists()
    finish(job, checkpoint, out, "--resume", "--set", "preview.every=0")
    assert_same(outcome(out), whole)
