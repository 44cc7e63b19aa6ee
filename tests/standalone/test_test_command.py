"""How `launch.py test` shares the tests among the cores."""

import pytest

from standalone.test_command import sharing


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
