"""TensorBoard on the log of a run: one process, on this machine alone, which ends with ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypernetwork_workbench.patches.runs import board as module


def record(folder: Path, name: str = "night", has_log: bool = True):
    place = folder / name / "tensorboard"
    place.mkdir(parents=True)
    if has_log:
        (place / "events.out.tfevents.1").touch()
    return SimpleNamespace(name=name, paths=SimpleNamespace(tensorboard=place))


@pytest.fixture
def board():
    made = module.Board()
    yield made
    made.end()


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Let a server that answers at once stand for TensorBoard."""
    child = tmp_path / "child.py"
    child.write_text(
        "import socketserver, sys, threading, os\n"
        "port = int(sys.argv[sys.argv.index('--port') + 1]); host = sys.argv[sys.argv.index('--host') + 1]\n"
        "server = socketserver.TCPServer((host, port), socketserver.BaseRequestHandler)\n"
        "threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n"
        "server.serve_forever()\n"
    )
    monkeypatch.setattr(module, "_CHILD", child)


def children() -> set[int]:
    return {one.pid for one in psutil.Process().children()}


def test_a_second_press_gives_the_same_one_and_another_run_its_own(board, quick, tmp_path):
    before = children()
    night, day = record(tmp_path), record(tmp_path, "day")
    address = board.show(night)
    assert address.startswith("http://127.0.0.1:")
    assert board.show(night) == address
    assert board.show(day) != address
    assert len(children() - before) == 1
    board.end()
    assert children() == before


def test_one_that_has_died_is_started_again(board, quick, tmp_path):
    night = record(tmp_path)
    before = children()
    board.show(night)
    (pid,) = children() - before
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)], timeout=60)
    board.show(night)
    assert len(children() - before) == 1


def test_a_run_without_a_log_and_a_missing_package_are_one_sentence(board, tmp_path, monkeypatch):
    with pytest.raises(module.BoardError, match=r"^day has no log for TensorBoard; tick TensorBoard"):
        board.show(record(tmp_path, "day", has_log=False))
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(module.BoardError, match=r"-m pip install tensorboard$"):
        board.show(record(tmp_path))


def test_one_that_does_not_start_is_one_sentence_and_leaves_no_process(board, monkeypatch, tmp_path):
    before = children()
    child = tmp_path / "broken.py"
    child.write_text("raise SystemExit(1)\n")
    monkeypatch.setattr(module, "_CHILD", child)
    with pytest.raises(module.BoardError, match="did not start"):
        board.show(record(tmp_path))
    assert children() == before


def test_the_real_one_shows_a_run_and_ends_when_the_process_that_started_it_is_killed(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    place = record(tmp_path, has_log=False).paths.tensorboard
    with SummaryWriter(str(place)) as writer:
        writer.add_scalar("loss/train", 0.5, 1)
    starts = (
        "import sys, time; from types import SimpleNamespace as Of; from pathlib import Path\n"
        "import hypernetwork_workbench; from hypernetwork_workbench.patches.runs import board\n"
        "place = Path(sys.argv[1])\n"
        "print(board.board.show(Of(name='night', paths=Of(tensorboard=place))), flush=True)\n"
        "print(board.board._running.process.pid, flush=True); time.sleep(600)\n"
    )
    root = Path(module.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", starts, str(place)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as host:
        address, pid = host.stdout.readline().strip(), int(host.stdout.readline())
        with urllib.request.urlopen(f"{address}data/plugin/scalars/tags", timeout=120) as answer:
            assert b"loss/train" in answer.read()
        host.kill()
    deadline = time.monotonic() + 240
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "TensorBoard outlived the WebUI"
        time.sleep(0.1)
