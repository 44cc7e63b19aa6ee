"""Mutations on a small project of its own: who survives, who is noticed, and what is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from standalone.mutations import command, equivalents, mutants
from tests import sources

SUMS = """\
BASE = 0


def doubled(function):
    return function


def add(a: int, b: int | None) -> int:
    return a + (b or BASE)


def rest(a: int, b: int) -> int:
    return a - b


@doubled
def never(a: int) -> int:
    return not a


def count(n: int) -> list[int]:
    found = []
    while n:
        n -= 1
        found.append(n)
    return found
"""
TESTS = """\
from hypernetworks.room.sums import add, count, rest

def test_sums():
    assert add(2, 3) == 5
    assert add(2, None) == 2

def test_rest_is_run_and_not_looked_at():
    rest(3, 1)

def test_count():
    assert count(3) == [2, 1, 0]

def test_that_fails():
    assert add(1, 1) == 3
"""
KNOWN = """\
[[equivalent]]
file = "hypernetworks/room/sums.py"
line = "while n:"
becomes = ["while not n:"]
reason = "for the test"

[[equivalent]]
file = "hypernetworks/room/sums.py"
line = "return a % b"
becomes = ["return a * b"]
reason = "the line is gone"
"""
RUN = "import sys; from pathlib import Path; from standalone.mutations import children, command; "
RUN += "children.HEAVY, command.SPARE_S = ('pytest',), 2; "
RUN += "sys.exit(command.main(sys.argv[2:], Path(sys.argv[1])))"


def made(root: Path) -> Path:
    """Make a project with one room."""
    for name, text in {
        "hypernetworks/room/sums.py": SUMS,
        "tests/conftest.py": "import hypernetworks.room.sums\n",
        "tests/hypernetworks/room/test_sums.py": TESTS,
        "standalone/mutations/equivalents.toml": KNOWN,
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "--import-mode=importlib"\n',
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a project."""
    line = [sys.executable, "-c", RUN, str(root), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=sources.ROOT)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def said(project: Path) -> str:
    """Return what the command says of the room; its seed draws the known equivalent and an endless loop."""
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    result = run(project, "--mutations", str(project / "hypernetworks" / "room"), "--seed", "3")
    assert result.returncode == 0, result.stderr
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert after == before
    return result.stdout


def test_a_change_that_no_test_looks_at_survives_and_is_shown_with_its_place(said: str):
    assert "\n  - return a - b\n  + return a " in said
    assert "hypernetworks/room/sums.py:13 ReplaceBinaryOperator_Sub_" in said


def test_a_line_that_no_test_runs_is_said_to_be_one(said: str):
    assert "sums.py:18 ReplaceUnaryOperator_Delete_Not, which no test of the room runs\n  - return not a\n" in said


def test_what_the_tests_hold_is_noticed_and_endless_loops_are_told_apart(said: str):
    assert "(b or BASE)" not in said
    assert "BASE = " not in said
    assert "found.append" not in said
    row = next(line for line in said.splitlines() if line.startswith("| room |") and "changes" not in line)
    _, tried, noticed, slow, share, equivalent, _ = row.strip("| ").split(" | ")
    assert int(tried) - int(noticed) == said.count("\n  + ") == 3  # with the decorator, which does nothing
    assert int(slow) >= 1
    assert share == f"{100 * int(noticed) / int(tried):.0f} %"
    assert equivalent == "1"


def test_tests_that_fail_without_a_change_count_for_nothing(said: str):
    assert "test_sums.py::test_that_fails fails without a change, and is left out." in said


def test_known_changes_are_passed_over_and_stale_entries_are_named(said: str):
    assert "while not n" not in said
    assert "equivalents.toml: hypernetworks/room/sums.py has no change any more of 'return a % b'" in said


@pytest.mark.parametrize("path", ["hypernetworks", "hypernetworks/nowhere", "tests/hypernetworks/room", "/"])
def test_what_is_no_room_is_one_sentence(project: Path, path: str, capsys: pytest.CaptureFixture[str]):
    assert command.main(["--mutations", str(project / path)], project) == 2
    said, wrong = capsys.readouterr()
    assert wrong == ""
    assert said.count("\n") == 1
    assert "the rooms are" in said


def test_tests_that_are_not_there_are_named(project: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        command.main(["--mutations", str(project / "hypernetworks" / "room"), "--tests", "nowhere.py"], project)
    assert ended.value.code == 2
    assert "nowhere.py does not exist" in capsys.readouterr().err


def test_annotations_are_no_changes_and_every_place_is_drawn_once(project: Path):
    drawn = list(mutants.sample([project / "hypernetworks" / "room" / "sums.py"], seed=1))
    assert not any("int" in mutant.before for mutant in drawn)
    assert len({(mutant.line, mutant.operator[:14], mutant.before) for mutant in drawn}) == len(drawn)
    assert drawn == list(mutants.sample([project / "hypernetworks" / "room" / "sums.py"], seed=1))
    assert drawn != list(mutants.sample([project / "hypernetworks" / "room" / "sums.py"], seed=2))


def test_statements_are_left_out(tmp_path: Path):
    path = tmp_path / "some.py"
    path.write_text('"""Text."""\n\nx = 1\nx += x\nx.y = x\ndel x\nf(x)\nfor a in x:\n    f(a)\n')
    left_out = [mutants.mutant(place) for place in mutants.places(path) if place.operator == "RemoveStatement"]
    assert [(mutant.line, mutant.after) for mutant in left_out if mutant] == [(n, "pass") for n in (4, 5, 6, 7, 9)]


def test_what_is_no_python_is_no_change(tmp_path: Path):
    path = tmp_path / "some.py"
    path.write_text("x = {**y}\nz = x**y\n")
    changes = [mutants.mutant(place) for place in mutants.places(path) if place.operator.endswith("_Pow_Div")]
    assert [mutant.after for mutant in changes if mutant] == ["z = x/y"]


def test_the_known_equivalents_of_the_project_are_there():
    known = equivalents.read()
    assert all(entry.reason for entry in known)
    assert equivalents.stale(known, sources.ROOT) == []


def test_a_decorator_is_a_change_of_its_own_line(project: Path):
    places = mutants.places(project / "hypernetworks" / "room" / "sums.py")
    found = [mutants.mutant(place) for place in places if place.operator == "RemoveDecorator"]
    assert [(mutant.line, mutant.before, mutant.after) for mutant in found if mutant] == [(16, "@doubled", "")]
