"""A run of the host on several GPUs: a process for each other one, here on the CPU."""

from __future__ import annotations

import os
import threading

import psutil
import pytest
import torch
from hypernetwork_workbench.hypernetworks import files
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.train.settings.job import Job

from tests.support import pictures


@pytest.fixture
def job_of(patched, tmp_path):
    """Return a function that makes the job of a run of this name and length."""
    folder = pictures.captioned(tmp_path / "pictures", 4)

    def make(name, steps):
        return Job.from_mapping(
            {
                "data": {"folder": str(folder), "width": 64, "height": 64, "batch_size": 4},
                "schedule": {"rate": "0.0001"},
                "train": {"max_steps": steps},
                "preview": {"every": "0"},
                "output": {"name": name, "dir": str(tmp_path / "out"), "sheet": False},
            }
        )

    return make


@pytest.fixture
def run(patched, monkeypatch):
    """Return a function that does a job as the page does, on a number of GPUs, and returns its result."""
    from hypernetwork_workbench.patches.runs import gpus, training
    from hypernetwork_workbench.patches.runs.run import runs

    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def act(job, count, resume=False):
        monkeypatch.setattr(gpus, "chosen", lambda: count)
        with runs.hold(job.output.name):
            return training.run_job(job, resume=resume)

    return act


def others():
    return [one for one in psutil.Process().children() if "rank_child.py" in " ".join(one.cmdline())]


def has_steps(log):
    """Wait until a run has taken some steps."""
    waited = threading.Event()
    while not (log.exists() and len(log.read_text(encoding="utf-8").splitlines()) > 3):
        waited.wait(0.05)


@pytest.mark.long(
    "tests/hypernetworks/train/test_ranks.py::test_a_run_learns_the_same_with_any_number_of_processes_that_may_change_on_the_way"
)
@pytest.mark.slow
def test_two_learn_what_one_learns_and_none_outlives_the_run(run, job_of):
    one, two = (dict(files.load(run(job_of(f"on {n}", 6), n).network).state_dict()) for n in (1, 2))
    assert all(torch.allclose(weight, two[name], rtol=0, atol=1e-5) for name, weight in one.items())
    assert any((weight != 0).any() for weight in one.values())
    assert others() == []


@pytest.mark.long(
    "tests/hypernetworks/train/test_ranks.py::test_a_stop_that_one_of_them_is_asked_for_ends_all_after_the_same_step"
)
@pytest.mark.slow
def test_interrupt_ends_all_of_them_and_one_can_go_on(run, job_of, tmp_path):
    from hypernetwork_workbench.patches.runs import training

    log = tmp_path / "out" / "ended" / "log.csv"
    stopper = threading.Thread(target=lambda: (has_steps(log), training.interrupt()))
    stopper.start()
    result = run(job_of("ended", 100_000), 2)
    stopper.join()
    assert result.interrupted
    assert others() == []
    again = run(job_of("ended", result.steps + 2), 1, resume=True)
    assert (again.steps, again.interrupted) == (result.steps + 2, False)


@pytest.mark.slow
@pytest.mark.long("test_a_process_that_ends_before_all_have_met_ends_the_run_in_one_sentence")
def test_the_end_of_another_process_ends_the_run_in_one_sentence(run, job_of, tmp_path):
    log = tmp_path / "out" / "long" / "log.csv"

    killer = threading.Thread(target=lambda: (has_steps(log), others()[0].kill()))
    killer.start()
    with pytest.raises(TrainingError, match=r"^the process of GPU 2 has ended \(.+\); the state of step \d+ is kept"):
        run(job_of("long", 100_000), 2)
    killer.join()
    assert others() == []


def test_what_is_entered_wrong_is_told_before_any_process_starts(run, job_of, monkeypatch):
    from hypernetwork_workbench.patches.runs import gpus

    monkeypatch.setattr(gpus, "_Child", None)
    job = job_of("wrong", 2).to_mapping()
    job["data"]["folder"] = "/none"
    with pytest.raises(SettingsError, match="/none is not a folder"):
        run(Job.from_mapping(job), 2)


def test_a_process_that_cannot_start_says_why(run, job_of, monkeypatch, tmp_path):
    from hypernetwork_workbench.patches.runs import gpus

    (tmp_path / "child.py").write_text("raise SystemExit('there is no GPU left')")
    monkeypatch.setattr(gpus, "_CHILD", tmp_path / "child.py")
    with pytest.raises(TrainingError, match=r"^the process of GPU 2 has ended \(there is no GPU left\)$"):
        run(job_of("unstarted", 2), 2)


def test_a_process_that_ends_before_all_have_met_ends_the_run_in_one_sentence(run, job_of, monkeypatch, tmp_path):
    from hypernetwork_workbench.patches.runs import gpus

    lines = ("import pathlib, sys, time", "(pathlib.Path(sys.argv[1]) / 'ready-1').touch()", "time.sleep(1)")
    (tmp_path / "child.py").write_text("\n".join([*lines, "raise SystemExit('its settings are others')"]))
    monkeypatch.setattr(gpus, "_CHILD", tmp_path / "child.py")
    with pytest.raises(TrainingError, match=r"^the process of GPU 2 has ended \(its settings are others\)$"):
        run(job_of("unmet", 2), 2)
    assert others() == []


@pytest.fixture
def children(patched, monkeypatch, tmp_path):
    """Return a function that starts processes of other GPUs, each of which does what its lines say."""
    from hypernetwork_workbench.patches.runs import gpus

    started = []

    def start(*lines):
        for rank, line in enumerate(lines, 1):
            script = tmp_path / f"child-{rank}.py"
            script.write_text(f"import pathlib, sys\nfolder, rank = pathlib.Path(sys.argv[1]), sys.argv[2]\n{line}")
            monkeypatch.setattr(gpus, "_CHILD", script)
            started.append(gpus._Child(tmp_path, rank))
        return started

    yield start
    for child in started:
        child.end()


@pytest.mark.skipif(os.name == "nt", reason="the flag for Windows has no such sign")
def test_ctrl_c_in_the_terminal_reaches_the_first_process_alone(children):
    (child,) = children("sys.stdin.read()")
    assert os.getsid(child._process.pid) == child._process.pid != os.getsid(0)


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        (["sys.exit(3)", "sys.exit(1)", "(folder / f'problem-{rank}').write_text('its disk is full'); sys.exit(1)"], 2),
        (["sys.exit(3)", "pass", "sys.exit(1)"], 2),
        (["sys.exit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"], 1),
        (["sys.stdin.read()", "sys.exit(3)"], 1),
    ],
)
def test_the_process_that_is_named_is_the_one_that_failed(children, monkeypatch, lines, lost):
    from hypernetwork_workbench.patches.runs import gpus

    if "stdin" in lines[0]:
        monkeypatch.setattr(gpus, "_PATIENCE_S", 1.0)
    started = children(*lines)
    assert gpus._lost(started) is started[lost]


@pytest.mark.parametrize(
    ("here", "wanted", "taken"),
    [(1, 4, 1), (2, 4, 2), (4, 3, 3), (4, 1, 1), (0, 2, 1), (4, None, 1)],
)
def test_no_more_are_taken_than_there_are(patched, monkeypatch, here, wanted, taken):
    from hypernetwork_workbench.patches.patching import switches
    from hypernetwork_workbench.patches.runs import gpus

    monkeypatch.setattr(torch.cuda, "device_count", lambda: here)
    monkeypatch.setattr(patched.module("shared").opts, switches.GPUS, wanted, raising=False)
    assert gpus.chosen() == taken


@pytest.mark.parametrize(
    ("visible", "own", "gpus_"),
    [
        ("", "cuda", "0,1,2"),
        ("", "cuda:1", "1,0,2"),
        ("5,7", "cuda:0", "5,7"),
        ("GPU-a,GPU-b", "cuda:1", "GPU-b,GPU-a"),
    ],
)
def test_each_process_has_a_gpu_of_its_own(patched, monkeypatch, visible, own, gpus_):
    from hypernetwork_workbench.patches.runs import gpus

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(patched.module("devices"), "device", torch.device(own))
    monkeypatch.setitem(os.environ, "CUDA_VISIBLE_DEVICES", visible)
    assert gpus._gpus() == gpus_.split(",")


@pytest.mark.parametrize(("count", "is_forge", "is_there"), [(1, False, False), (2, False, True), (2, True, False)])
def test_the_choice_is_there_where_there_are_several(patched, monkeypatch, count, is_forge, is_there):
    from hypernetwork_workbench.patches.patching import capabilities, switches
    from hypernetwork_workbench.patches.runs import gpus

    from hypernetwork_workbench import patches

    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(capabilities, "attention_has_hooks", lambda: is_forge)
    monkeypatch.setattr(patched.module("shared").opts, switches.GPUS, 2, raising=False)
    assert gpus.chosen() == (2 if is_there else 1)
    labels = patched.module("shared").opts.data_labels
    labels.pop(switches.GPUS, None)
    patches.register_switches()
    assert (switches.GPUS in labels) == is_there
    patches.forget_switches()
    assert switches.GPUS not in labels
