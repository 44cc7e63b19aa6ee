"""How `launch.py test` shares the tests among the cores."""

import os
import sys

import pytest

from standalone.test_command import main, sharing


@pytest.mark.parametrize(("cores", "workers"), [(2, "3"), (4, "4"), (64, "4")])
def test_all_tests_are_shared_among_the_cores(cores: int, workers: str) -> None:
    for arguments in ([], ["-x", "-q"], ["tests/browser"], ["--random-examples", "2000"]):
        assert sharing(arguments, cores) == ["-n", workers, "--dist", "loadfile", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    "chosen",
    [["-n", "0"], ["-n3"], ["--numprocesses", "2"], ["-p", "no:xdist"], ["--pdb"], ["tests/test_x.py::test_y"]],
)
def test_who_chooses_is_left_alone(chosen: list[str]) -> None:
    assert sharing(chosen, 2) == []


def test_one_core_runs_them_one_after_another() -> None:
    assert sharing([], 1) == []


def test_what_was_compiled_once_is_kept_for_the_workers_and_the_programs_of_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    seen = []

    def run(_arguments: list[str]) -> int:
        seen.append((os.environ.get("PYTHONDONTWRITEBYTECODE"), sys.dont_write_bytecode))
        return 0

    monkeypatch.setattr(pytest, "main", run)
    assert main(["tests/test_x.py"]) == 0
    assert seen == [(None, False)]
