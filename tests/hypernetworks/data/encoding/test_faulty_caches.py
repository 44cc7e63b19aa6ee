"""Caches that somebody has damaged: what does not fit is made again."""

import pytest

from tests.support.faults import caches

#: No folder can be made where these are: a run says so before it begins.
REFUSED = {f"cache: {name} in place of the folder" for name in ("a file", "a pipe", "a device")}


@pytest.mark.parametrize("case", list(caches.cases()), ids=lambda case: case.name)
def test_what_does_not_fit_in_a_cache_is_made_again(case, tmp_path):
    refusal = case.act(tmp_path)
    assert refusal is None if case.name not in REFUSED else refusal.startswith("data.cache: ")
