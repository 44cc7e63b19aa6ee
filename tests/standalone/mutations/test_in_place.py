"""Changes of functions that are loaded: what they then do, and what is left to a new import."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from standalone.mutations import in_place
from standalone.mutations.mutants import Mutant

SOURCE = """\
LIMIT = 3


def kept(function):
    def inner(*given):
        return function(*given) + 0

    return inner


class Sums:
    most: int = 5

    @property
    def double(self):
        return self.most * 2

    @kept
    def add(self, other, more=1):
        return self.most + other + more


def all_below(numbers):
    return [number for number in numbers if number < LIMIT]
"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    path = tmp_path / "sums.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("sums", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def changed(module: ModuleType, old: str, new: str) -> bool:
    assert SOURCE.count(old) == 1
    mutant = Mutant(Path(module.__file__), "some", 1, old, new, SOURCE.replace(old, new))
    return in_place.change(mutant, in_place.loaded())


def test_functions_do_what_their_new_code_does_wherever_they_are_held(module):
    one = module.Sums()
    assert (one.double, one.add(1), module.all_below([2, 3])) == (10, 7, [2])
    assert changed(module, "self.most * 2", "self.most / 2")
    assert one.double == 2.5
    assert changed(module, "+ other", "- other")
    assert one.add(1) == 5
    assert changed(module, "(*given) + 0", "(*given) + 9")
    assert one.add(1) == 14
    assert changed(module, "number < LIMIT", "number <= LIMIT")
    assert module.all_below([2, 3]) == [2, 3]


@pytest.mark.parametrize(
    ("old", "new"),
    [("LIMIT = 3", "LIMIT = 4"), ("most: int = 5", "most: int = 6"), ("more=1", "more=2"), ("    @property\n", "")],
)
def test_what_runs_at_import_is_left_to_it(module, old, new):
    assert not changed(module, old, new)
    assert (module.Sums().double, module.Sums().add(1)) == (10, 7)


def test_a_function_that_is_nowhere_is_left_to_a_new_import(module):
    del module.all_below
    assert not changed(module, "number < LIMIT", "number <= LIMIT")
