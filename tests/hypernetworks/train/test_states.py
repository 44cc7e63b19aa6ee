"""States that do not fit: Continue refuses each with one sentence, and a run goes on without that of the WebUI."""

import pytest

from tests.support import faults
from tests.support.faults import optims, states


@pytest.mark.parametrize("case", [*states.cases(), *optims.cases()], ids=lambda case: case.name)
def test_a_state_that_does_not_fit_is_refused_by_name(case, tmp_path):
    sentence = faults.said(case, tmp_path)
    assert sentence
    assert "\n" not in sentence
