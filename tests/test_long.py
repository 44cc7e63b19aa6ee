"""A quick run leaves the long tests out and says so; all others have what they name, and CI has all."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import sources
from tests.support import long

CONFTEST = """
from tests.conftest import pytest_addoption, pytest_collection_modifyitems, pytest_configure, pytest_configure_node
from tests.conftest import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown
"""
TESTS = """
import pytest

@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.long("test_one")), 3])
def test_one(number): pass

@pytest.mark.long(alone="nothing is like it")
def test_two(): pass
"""
ALL, QUICK = {"test_one[1]", "test_one[2]", "test_one[3]", "test_two"}, {"test_one[1]", "test_one[3]"}


@dataclass(frozen=True)
class Marker:
    """What a marker is given."""

    args: tuple[str, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """What of a test is asked for."""

    nodeid: str
    marker: Marker | None = None
    story: bool = False

    def __hash__(self) -> int:
        return hash(self.nodeid)

    def get_closest_marker(self, name: str) -> Marker | None:
        """Return a marker, or None where there is none of this name."""
        return self.marker if name == "long" else Marker() if name == "story" and self.story else None

    def iter_markers(self, name: str) -> list[Marker]:
        """Return all markers of this name."""
        return [one for one in [self.get_closest_marker(name)] if one]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), QUICK),
        (("--all",), ALL),
        (("-n", "2"), QUICK),
        (("-n", "2", "{folder}"), ALL),
        (("{folder}/test_it.py::test_two",), {"test_two"}),
        (("-k", "two"), {"test_two"}),
        (("-m", "long"), ALL - QUICK),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else len(given),
)
def test_long_tests_run_when_all_or_these_are_asked_for(arguments: tuple[str, ...], expected: set[str], tmp_path: Path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ["-v", "-p", "no:cacheprovider", "-o", f"testpaths={tmp_path}"]
    named = [one.format(folder=tmp_path) for one in arguments]
    line = [sys.executable, "-m", "pytest", *options, *named]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, cwd=sources.ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert set(re.findall(r"PASSED.*::(\S+)|::(\S+) PASSED", ended.stdout)) == {
        ("", one) if "-n" not in arguments else (one, "") for one in expected
    }
    last = [line for line in ended.stdout.splitlines() if "left out" in line]
    assert last == (["2 long tests were left out; `python3 launch.py test --all` runs them too."] * (expected == QUICK))


def test_the_quick_ones_and_those_left_out():
    items = [Item("a"), Item("b", Marker()), Item("c")]
    assert long.parted(items) == ([items[0], items[2]], [items[1]])
    assert long.told(0) == ""


def test_of_many_parameters_every_third_is_quick():
    few, many = ([Item(f"{name}[{n}]") for n in range(count)] for name, count in (("a", 6), ("b", 8)))
    assert long.parted([*few, *many]) == ([*few, many[0], many[3], many[6]], [many[n] for n in (1, 2, 4, 5, 7)])
    tale = [Item(f"c[{n}]", story=True) for n in range(8)]
    assert long.parted(tale) == (tale, [])


def test_a_long_test_names_a_quick_one_or_a_reason():
    quick = [Item("t/a.py::test_x[1]"), Item("t/b.py::test_y")]
    good = [Marker(("test_x",)), Marker(("t/b.py::test_y",)), Marker((), {"alone": "it is like none"})]
    assert long.alone([*quick, *(Item(f"t/a.py::test_x[{1 + n}]", one) for n, one in enumerate(good))]) == []
    bad = [
        Marker(("test_y",)),
        Marker(("t/b.py::test_x",)),
        Marker(("test_z[2]",)),
        Marker(),
        Marker((), {"alone": ""}),
    ]
    wrong = [Item(f"t/a.py::test_z[{n}]", one) for n, one in enumerate(bad)]
    found = long.alone([*quick, *wrong])
    assert [one.split(" ")[0] for one in found] == [one.nodeid for one in wrong]
    assert "t/a.py::test_y is none" in found[0]
    assert "t/a.py::test_z is none" in found[3]
    assert long.alone([*quick, Item("t/a.py::test_x[2]", Marker())]) == []


def test_each_long_test_has_a_quick_one_beside_it(request: pytest.FixtureRequest):
    collected = request.config.stash[long.COLLECTED]
    assert long.alone(collected) == []


def test_ci_runs_all():
    lines = (sources.ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "launch.py test" in line] == [long.COMMAND]
