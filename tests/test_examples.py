"""The property tests: red for a reason and never by chance, and open to more examples on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import sources
from tests.support.examples import examples, load_profile


@pytest.fixture
def wanted(request: pytest.FixtureRequest) -> Iterator[int | None]:
    """Return what --random-examples says, and have its profile again after a test that loads another."""
    count = request.config.getoption("--random-examples")
    yield count
    load_profile(count, is_quick=not request.config.option.all)


def _drawn(count: int) -> list[int]:
    drawn: list[int] = []

    @given(st.integers(0, 10**9))
    @examples(count)
    def property_test(number: int) -> None:
        drawn.append(number)

    property_test()
    return drawn


def test_the_same_examples_are_tried_in_every_run(wanted):
    load_profile(None)
    assert _drawn(12) == _drawn(12)
    assert len(_drawn(12)) == 12


def test_a_quick_run_tries_a_third(wanted):
    load_profile(None, is_quick=True)
    assert (len(_drawn(12)), len(_drawn(1)), settings().max_examples) == (4, 1, 34)
    load_profile(12, is_quick=True)
    assert len(_drawn(3)) == 12


def test_more_examples_are_drawn_at_random_on_demand(wanted):
    load_profile(25)
    first, second = _drawn(12), _drawn(12)
    assert len(first) == len(second) == 25
    assert first != second


def test_the_profile_is_that_of_the_command_line(wanted, request):
    chosen, is_quick = settings(), not request.config.option.all
    assert chosen.derandomize == (wanted is None)
    assert chosen.max_examples == (wanted or (34 if is_quick else 100))
    assert chosen.deadline is None


def test_no_property_test_keeps_a_number_of_examples_from_the_command_line():
    own = [
        path.name
        for path in (sources.ROOT / "tests").rglob("*.py")
        if "max_examples" in path.read_text(encoding="utf-8")
    ]
    assert sorted(own) == ["examples.py", "test_examples.py"]
