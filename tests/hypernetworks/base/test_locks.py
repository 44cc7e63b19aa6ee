import os
import signal
import subprocess
import sys
import threading

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError, TrainingError
from hypernetwork_workbench.hypernetworks.base.locks import held
from hypernetwork_workbench.hypernetworks.files.create import create_file
from hypernetwork_workbench.hypernetworks.network.settings import CreateSettings
from hypernetwork_workbench.hypernetworks.train import run
from hypernetwork_workbench.hypernetworks.train.run import train

from tests import sources
from tests.support.fake_ports import fake_ports
from tests.support.mount import mounted
from tests.support.runs import draw_pictures, make_job, read_log

HOLD = """
import sys, time
from pathlib import Path
from hypernetwork_workbench.hypernetworks.base.locks import held
with held(Path(sys.argv[1]), "fake is being trained", RuntimeError):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Return a function that holds a name in another process, and gives that process."""
    started = []

    def hold(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        search = os.pathsep.join([str(mounted(tmp_path)), str(sources.ROOT)])
        command = [sys.executable, "-c", HOLD, path]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": search})
        started.append(process)
        assert process.stdout.readline().strip() == b"held"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_second_is_told_who_holds_the_name_and_a_dead_owner_holds_nothing(tmp_path, other):
    network = tmp_path / "hypernetworks" / "fake.pt"
    owner = other(network)
    pictures = draw_pictures(tmp_path / "pictures")
    said = rf"^fake is being trained by process {owner.pid} on .+ since .+; wait for its end, or choose another name$"
    with pytest.raises(TrainingError, match=said):
        train(make_job(pictures), fake_ports(tmp_path))
    with pytest.raises(SettingsError, match=rf"name: fake is being trained by process {owner.pid}") as refused:
        create_file(CreateSettings(name="fake", overwrite=True), [8], network.parent)
    assert refused.value.field == "name"
    assert not network.exists()
    owner.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    owner.wait()
    assert train(make_job(pictures, train__max_steps=1), fake_ports(tmp_path)).steps == 1


def test_the_folder_of_a_run_is_held_too(tmp_path, other):
    owner = other(tmp_path / "logs" / "fake" / "run")
    with pytest.raises(TrainingError, match=f"process {owner.pid}"):
        train(make_job(draw_pictures(tmp_path / "pictures")), fake_ports(tmp_path))


def test_of_two_runs_of_one_name_in_one_process_one_is_refused(tmp_path, monkeypatch):
    pictures = draw_pictures(tmp_path / "pictures")
    inside, go = threading.Event(), threading.Event()
    real = run._train

    def slow(*arguments):
        inside.set()
        assert go.wait(240)
        return real(*arguments)

    monkeypatch.setattr(run, "_train", slow)
    done = []
    first = threading.Thread(target=lambda: done.append(train(make_job(pictures), fake_ports(tmp_path))))
    first.start()
    assert inside.wait(240)
    with pytest.raises(TrainingError, match=f"fake is being trained by process {os.getpid()}"):
        train(make_job(pictures), fake_ports(tmp_path))
    go.set()
    first.join()
    assert [row["step"] for row in read_log(done[0].log)] == [str(step) for step in range(1, 13)]


def test_a_file_that_was_made_since_the_plan_is_not_replaced(tmp_path, monkeypatch):
    pictures = draw_pictures(tmp_path / "pictures")
    real = run.make_plan

    def late(*arguments):
        plan = real(*arguments)
        plan.paths.network.parent.mkdir(parents=True, exist_ok=True)
        plan.paths.network.write_bytes(b"theirs")
        return plan

    monkeypatch.setattr(run, "make_plan", late)
    with pytest.raises(SettingsError, match=r"fake\.pt exists already"):
        train(make_job(pictures), fake_ports(tmp_path))
    assert (tmp_path / "hypernetworks" / "fake.pt").read_bytes() == b"theirs"


@pytest.mark.parametrize("content", [None, b"", b"[1]", b"{", b"\xff", b'{"pid": "x", "host": 1}'])
def test_an_owner_who_left_no_word_is_another_process(tmp_path, content):
    with held(tmp_path / "n.pt", "n is being made", ValueError):
        owner = tmp_path / ".n.pt.owner"
        owner.unlink() if content is None else owner.write_bytes(content)
        with (
            pytest.raises(ValueError, match=r"^n\.pt is being written by another process; "),
            held(tmp_path / "n.pt", "", ValueError),
        ):
            pass


def test_a_disk_without_locks_is_written_all_the_same(tmp_path, monkeypatch, caplog):
    import filelock

    def none(*_args, **_kwargs):
        raise NotImplementedError("no flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", none)
    with held(tmp_path / "n.pt", "n is being made", ValueError):
        assert "cannot be locked" in caplog.text
