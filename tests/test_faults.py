"""The corpus of faults: every one ends in a sentence or is made again, within seconds."""

import pytest

from tests import sources
from tests.support import faults

pytestmark = pytest.mark.slow

#: The kinds whose room tries each case, and looks closer at what came of it.
IN_THEIR_ROOMS = {
    "caches": "data/encoding/test_faulty_caches.py",
    "optims": "train/test_states.py",
    "records": "data/survey/test_caption_edits.py",
    "states": "train/test_states.py",
    "writes": "train/test_writes.py",
}
CASES = {case.name: case for cases in faults.kinds().values() for case in cases()}


def test_the_corpus_is_large_and_its_names_differ():
    assert len(CASES) >= 300
    assert len(CASES) == sum(1 for cases in faults.kinds().values() for _ in cases())


@pytest.mark.parametrize(("kind", "file"), IN_THEIR_ROOMS.items())
def test_a_room_tries_every_case_of_its_kinds(kind, file):
    text = (sources.ROOT / "tests" / "hypernetworks" / file).read_text(encoding="utf-8")
    assert f"{kind}.cases()" in text
    assert "faults.said(case, tmp_path)" in text


@pytest.mark.parametrize("kind", sorted(faults.kinds().keys() - IN_THEIR_ROOMS.keys()))
def test_every_fault_is_handled(kind):
    problems = {case.name: problem for case in faults.kinds()[kind]() if (problem := faults.outcome(case).problem)}
    assert not problems
