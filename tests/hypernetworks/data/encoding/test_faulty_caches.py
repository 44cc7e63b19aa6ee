"""Caches that somebody has damaged: what does not fit is made again."""

import pytest

from tests.support.faults import caches


@pytest.mark.parametrize("case", list(caches.cases()), ids=lambda case: case.name)
def test_what_does_not_fit_in_a_cache_is_made_again(case, tmp_path):
    assert case.act(tmp_path) is None
