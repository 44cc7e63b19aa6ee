"""The corpus of faults: every one ends in a sentence or is made again, within seconds."""

import pytest

from tests.support import faults

pytestmark = pytest.mark.slow

CASES = {case.name: case for cases in faults.kinds().values() for case in cases()}


def test_the_corpus_is_large_and_its_names_differ():
    assert len(CASES) >= 300
    assert len(CASES) == sum(1 for cases in faults.kinds().values() for _ in cases())


@pytest.mark.parametrize("kind", faults.kinds())
def test_every_fault_is_handled(kind):
    problems = {case.name: problem for case in faults.kinds()[kind]() if (problem := faults.outcome(case).problem)}
    assert not problems
