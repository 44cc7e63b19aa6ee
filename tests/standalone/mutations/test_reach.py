"""Which tests try a change, and in which order."""

from pathlib import Path

from standalone.mutations.reach import MOST_S, Reach

SOURCE = """\
LIMIT, other = 3, 4


def first(a):
    return a


def second(a):
    return a > LIMIT
"""


def made(folder: Path, **seconds: float) -> tuple[Path, Reach]:
    """Return a module whose two functions have a test each, in files of their own that take so many seconds."""
    path = folder / "some.py"
    path.write_text(SOURCE)
    names = {name: f"tests/test_{name}.py::test" for name in seconds}
    lines = {1: {""}, 4: {""}, 5: {names["a"]}, 8: {""}, 9: {names["b"]}}
    return path, Reach({names[name]: taken for name, taken in seconds.items()}, set(), {str(path): lines})


def test_a_line_is_tried_with_the_tests_that_run_it(tmp_path: Path):
    path, reach = made(tmp_path, a=1, b=1)
    assert reach.of(path, 5) == ["tests/test_a.py::test"]
    assert not reach.is_at_import(path, 5)


def test_what_gives_a_name_at_import_is_tried_first_with_the_tests_that_use_the_name(tmp_path: Path):
    path, reach = made(tmp_path, a=1, b=5, c=1)
    assert reach.of(path, 1) == [f"tests/test_{name}.py::test" for name in "bac"]
    assert reach.of(path, 4) == [f"tests/test_{name}.py::test" for name in "abc"]
    assert reach.is_at_import(path, 1)


def test_a_file_named_after_the_module_comes_before_quicker_ones_and_too_much_is_left_out(tmp_path: Path):
    path, reach = made(tmp_path, a=2, b=1, some=MOST_S - 2, d=3)
    assert reach.of(path, 4) == [f"tests/test_{name}.py::test" for name in ("some", "b")]
