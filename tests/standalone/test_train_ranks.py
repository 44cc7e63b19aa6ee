"""`launch.py train --nproc N`: one run in several processes, which ends with one sentence however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import RanksLostError, SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.ranks import several
from hypernetwork_workbench.standalone import train_ranks
from hypernetwork_workbench.standalone.console_progress import ConsoleProgress
from PIL import Image

from tests.support import commands

ROOT = Path(__file__).resolve().parents[2]
COMMAND = commands.code_of("standalone.train_command")
STEPS = 20
SIZES = [(64, 64)] * 5 + [(128, 64)] * 4 + [(64, 128)] * 2
JOB = f"""
[data]
folder = "pictures"
width = 64
height = 64
framing = "buckets"
batch_size = 8

[optimizer]
# Or gradients of no more than rounding errors, which the order of sums changes, move weights as far as others do.
arguments = "eps=1e-6"

[schedule]
rate = 0.0001

[train]
max_steps = {STEPS}
gradient_accumulation = 2
ema_decay = 0.9

[preview]
every = 0

[output]
name = "small"
sheet = false
"""
# torchrun leaves its files for what nobody is to hear to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file <_io.TextIOWrapper name='/dev/null':ResourceWarning")
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    (folder / "pictures").mkdir()
    for number, size in enumerate(SIZES):
        Image.new("RGB", size, (20 * number, 30, 200)).save(folder / "pictures" / f"{number:02}.png")
        (folder / "pictures" / f"{number:02}.txt").write_text(f"picture {number}")
    (folder / "job.toml").write_text(JOB)
    return folder / "job.toml"


@pytest.fixture(scope="module")
def words(job, checkpoint, tmp_path_factory):
    """Return a function that makes the command line of a run that writes to `out`."""
    host = tmp_path_factory.mktemp("host")

    def make(out, *arguments):
        return [job, "--ckpt", checkpoint, "--data-dir", host, "--set", f"output.dir={out}", *arguments]

    return make


def start(*command):
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )


def weights(out):
    return dict(files.load(out / "small.pt").state_dict())


@pytest.mark.long(
    "tests/hypernetworks/train/test_ranks.py::test_a_run_learns_the_same_with_any_number_of_processes_that_may_change_on_the_way"
)
@pytest.mark.slow
def test_two_processes_learn_what_one_learns(command, words, tmp_path):
    done = command(*words(tmp_path / "one"))
    assert done.returncode == 0, done.stderr
    report = tmp_path / "report.json"
    with start(sys.executable, "-c", COMMAND, *words(tmp_path / "two", "--nproc", 2, "--report", report)) as process:
        said, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert said.count("network: ") == told.count("Pictures: 11 can be used.") == 1
    found = json.loads(report.read_text(encoding="utf-8"))
    assert (found["processes"], found["steps"], found["notes"]) == (2, STEPS, [])
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(torch.allclose(weight, two[name], rtol=0, atol=1e-5) for name, weight in one.items())


@pytest.mark.long("test_the_sentence_of_one_that_is_killed_is_all_that_is_said")
@needs_signals
@pytest.mark.slow
def test_one_that_is_killed_ends_the_run_in_one_sentence_and_one_process_can_go_on(command, words, tmp_path):
    log = tmp_path / "small" / "log.csv"
    many = ("--nproc", 2, "--set", "train.max_steps=100000")
    with start(sys.executable, "-c", COMMAND, *words(tmp_path, *many)) as process:
        deadline = time.monotonic() + 240
        while not (log.exists() and len(log.read_text(encoding="utf-8").splitlines()) > 3):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "the run does not get on"
            time.sleep(0.05)
        ranks = psutil.Process(process.pid).children(recursive=True)
        next(rank for rank in ranks if rank.environ()["RANK"] == "1").kill()
        said, told = process.communicate(timeout=120)
    assert psutil.wait_procs(ranks, timeout=60)[1] == []
    assert (process.returncode, said) == (1, "")
    told = told.rpartition("]\n")[2]  # what comes after the bar
    head, _, step = told.partition("; the state of step ")
    assert head == "process 2 of 2 was killed (SIGKILL)"
    steps = int(step.removesuffix(" is kept to continue from\n"))
    assert not (tmp_path / "small.pt").exists()
    done = command(*words(tmp_path, "--resume", "--set", f"train.max_steps={steps + 1}"))
    assert done.stdout.startswith(f"{steps + 1} steps in "), done.stderr


@pytest.mark.slow
def test_torchrun_itself_starts_them_on_several_machines(tmp_path):
    script = tmp_path / "meet.py"
    script.write_text(
        "from standalone import host; host.mount()\n"
        "from standalone import train_ranks\n"
        "with train_ranks.joined() as ranks:\n"
        "    print(ranks.rank, ranks.size, ranks.agreed(ranks.rank == 1), ranks.of_first(f'text of {ranks.rank}'))\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = ["--master-addr", "127.0.0.1", "--master-port", free.getsockname()[1]]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", 2, *meeting]
    machines = [start(*torchrun, "--node-rank", number, script) for number in range(2)]
    said = [machine.communicate(timeout=120) for machine in machines]
    assert [text for text, _ in said] == ["0 2 True text of 0\n", "1 2 True text of 0\n"], said


@pytest.fixture
def run_both(monkeypatch):
    """Return a function that runs Python code as both processes of a run; `rank` is the number of the process."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def run(code, *words):
        begin = "import os, signal, sys, time\nrank = int(os.environ['RANK'])\n"
        monkeypatch.setattr(train_ranks, "_COMMAND", begin + code)
        return train_ranks.run(2, list(words))

    return run


def test_only_the_first_one_is_heard_and_each_has_its_share_of_the_threads(run_both, capfd, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    code = "print(rank, sys.argv[1:], *(os.environ[name] for name in ('WORLD_SIZE', 'LOCAL_RANK', 'OMP_NUM_THREADS')))"
    assert run_both(code, "a", "b c") == 0
    assert capfd.readouterr() == ("0 ['a', 'b c'] 2 0 3\n", "")


@needs_signals
def test_the_sentence_of_one_that_is_killed_is_all_that_is_said(run_both, capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run_both("time.sleep(0 if rank else 60)\nos.kill(os.getpid(), signal.SIGKILL)") == 1
    sentence = "process 2 of 2 was killed (SIGKILL); --resume goes on from the last state that was saved\n"
    assert capfd.readouterr() == ("", sentence)
    assert not list(tmp_path.iterdir())


@needs_signals
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_reaches_each_process_once_and_a_second_one_ends_them(run_both, tmp_path, presses):
    (tmp_path / "heard").mkdir()
    code = (
        "heard = []\n"
        "def hear(number, frame):\n"
        "    heard.append(number)\n"
        f"    open(f'{tmp_path}/heard/{{rank}} {{len(heard)}}', 'w')\n"
        "signal.signal(signal.SIGINT, hear)\n"
        f"open('{tmp_path}/%d' % rank, 'w')\n"
        f"while len(heard) < {presses}: time.sleep(0.01)\n"
    )
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)

    def heard():
        return sorted(path.name for path in (tmp_path / "heard").iterdir())

    def press():
        while not ((tmp_path / "0").exists() and (tmp_path / "1").exists()):
            time.sleep(0.01)
        for number in range(presses):
            os.kill(os.getpid(), signal.SIGINT)
            while len(heard()) < 2 * (number + 1):
                time.sleep(0.01)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt) if presses > 1 else nullcontext():
        assert run_both(code) == 0
    thread.join(10)
    assert heard() == sorted(f"{rank} {number + 1}" for rank in range(2) for number in range(presses))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)) == before


def test_a_process_whose_starter_is_gone_ends_its_run(monkeypatch):
    assert not train_ranks.is_deserted_from(os.getppid() + 1)  # it is none of several
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    assert not train_ranks.is_deserted_from(os.getppid())
    assert train_ranks.is_deserted_from(os.getppid() + 1)
    assert ConsoleProgress(is_deserted=lambda: True).is_interrupted()
    assert not ConsoleProgress().is_interrupted()


def test_a_bar_that_is_not_shown_stays_away(capsys):
    for is_shown in (True, False):
        progress = ConsoleProgress(is_shown)
        progress.report(1, 2, "step 1 of 2")
        progress.close()
        assert bool(capsys.readouterr().err) == is_shown


class Failure:
    """What is known of a process that did not end well."""

    def __init__(self, folder, code, message=None):
        self.exitcode, self.message = code, message
        self.error_file = str(folder / f"{code}-{message}.json")
        if message is not None:
            Path(self.error_file).write_text("{}")

    def signal_name(self):
        return signal.Signals(-self.exitcode).name


KEPT = "the state of step 6 is kept to continue from"
RESUME = "--resume goes on from the last state that was saved"


@pytest.mark.parametrize(
    ("failures", "code", "sentence"),
    [
        ({}, 0, ""),
        ({0: (1, None)}, 1, ""),  # it has said so itself
        ({0: (2, None), 1: (2, "data.folder: wrong")}, 2, ""),
        ({1: (2, "data.folder: wrong"), 0: (-15, None)}, 2, "data.folder: wrong\n"),
        ({1: (-9, None), 0: (3, KEPT)}, 1, f"process 2 of 4 was killed (SIGKILL); {KEPT}\n"),
        ({0: (3, KEPT), 2: (-11, None)}, 1, f"process 3 of 4 was killed (SIGSEGV); {KEPT}\n"),
        ({0: (3, ""), 2: (1, None)}, 1, f"process 3 of 4 ended with code 1; {RESUME}\n"),
        ({0: (-9, None), 1: (3, "")}, 1, f"process 1 of 4 was killed (SIGKILL); {RESUME}\n"),
        ({0: (3, KEPT), 1: (3, ""), 3: (1, "the GPU is full")}, 1, f"process 4 of 4: the GPU is full; {KEPT}\n"),
    ],
)
@needs_signals
def test_what_ended_a_run_is_one_sentence(tmp_path, failures, code, sentence):
    made = {rank: Failure(tmp_path, *how) for rank, how in failures.items()}
    assert train_ranks.outcome(made, 4) == (code, sentence)


@pytest.mark.parametrize(
    ("rank", "error", "answer"),
    [
        ("0", TrainingError("no"), (1, "no\n", None)),
        ("0", RanksLostError("kept"), (3, "", "kept")),
        ("1", SettingsError("data.folder", "no"), (2, "", "data.folder: no")),
        ("", TrainingError("no"), (1, "no\n", None)),
    ],
)
def test_only_the_first_process_speaks_for_itself(monkeypatch, capsys, tmp_path, rank, error, answer):
    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    if rank:
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    code, told = train_ranks.tell(error), capsys.readouterr().err
    assert (code, told, json.loads(file.read_text())["message"] if file.exists() else None) == answer


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    train_ranks.check(2)
    with pytest.raises(SettingsError, match="--nproc: 3 processes need 3 GPUs, and here are 2; take --nproc 2"):
        train_ranks.check(3)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingsError, match="--nproc: 3 processes need 3 GPUs, and here is 1; leave --nproc out"):
        train_ranks.check(3)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    train_ranks.check(3)


def test_a_torch_that_connects_no_processes_is_named(monkeypatch):
    monkeypatch.setattr(several.dist, "is_gloo_available", lambda: False)
    with pytest.raises(SettingsError, match="--nproc: the installed torch cannot connect processes, as it has no gloo"):
        train_ranks.check(2)


@pytest.mark.parametrize(
    ("visible", "local", "chosen"), [(None, 1, "1"), ("4,6", 1, "6"), ("4,6", 2, "-1"), ("", 0, "")]
)
def test_each_process_has_a_gpu_of_its_own(monkeypatch, visible, local, chosen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible or "")  # so that it is as before when the test is over
    if visible is None:
        del os.environ["CUDA_VISIBLE_DEVICES"]
    for name, value in {"RANK": local, "WORLD_SIZE": 3, "LOCAL_RANK": local, "TORCHELASTIC_RUN_ID": "one"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(several.dist, "is_gloo_available", lambda: False)  # none of them meets another here
    with pytest.raises(TrainingError), train_ranks.joined():
        pass
    assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen
