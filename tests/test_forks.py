"""The processes that start as forks of one that has imported what they need."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests import sources
from tests.support import forks


@pytest.fixture(scope="module", autouse=True)
def shared() -> Iterator[None]:
    with forks.shared():
        yield


@pytest.fixture
def said(tmp_path):
    """Return a function that runs code to its end and returns exit code, stdout and stderr."""

    def run(code, *arguments):
        with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
            ended = forks.start(code, *arguments, out=out, err=err).wait(120)
        return ended, (tmp_path / "out").read_text(), (tmp_path / "err").read_text()

    return run


def test_a_fork_runs_code_as_a_new_process_would(said, monkeypatch):
    monkeypatch.setenv("WORKBENCH_TOLD", "yes")
    code = "import os, sys; print(sys.argv[1:], __name__, os.getcwd(), os.environ['WORKBENCH_TOLD'], sys.stdin.read())"
    ended, out, err = said(code, "a b", 3)
    assert (ended, out, err) == (0, f"['a b', '3'] __main__ {sources.ROOT} yes \n", "")


@pytest.mark.parametrize(
    ("code", "ended", "words"),
    [
        ("import sys; sys.exit(2)", 2, ""),
        ("raise SystemExit('no')", 1, "no\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
    ],
)
def test_its_end_is_told_as_that_of_a_new_process(said, code, ended, words):
    found, _, err = said(code)
    assert found == ended
    assert err.endswith(words)


def test_what_it_does_at_its_end_is_done(said):
    assert said("import atexit; atexit.register(print, 'bye')")[1] == "bye\n"


@pytest.mark.skipif(not forks.ARE_POSSIBLE, reason="the system has no forks for tests")
def test_what_takes_long_to_import_is_there_at_its_start(said):
    code = f"import os, sys; print(all(name in sys.modules for name in {forks.HEAVY}), os.getpid())"
    pids = [said(code)[1].split() for _ in range(2)]
    assert [there for there, _ in pids] == ["True", "True"]
    assert pids[0][1] != pids[1][1]


def test_one_that_waits_is_ended_by_a_signal(tmp_path):
    with (tmp_path / "out").open("w") as out:
        running = forks.start("import time; time.sleep(600)", out=out, err=out)
    assert running.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.1)
    running.terminate()
    assert running.wait(120) == -signal.SIGTERM == running.poll()
    running.kill()  # of what has ended does nothing


def test_there_is_one_for_all(monkeypatch):
    before = os.environ.get(forks.ADDRESS)
    with forks.shared():
        assert os.environ.get(forks.ADDRESS) == before
    assert os.environ.get(forks.ADDRESS) == before
