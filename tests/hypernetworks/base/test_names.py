"""Names in sentences."""

from __future__ import annotations

import pytest
from hypernetwork_workbench.hypernetworks.base.names import sentence


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("must not be empty", "Must not be empty."),
        ("night exists already; choose another name", "night exists already; choose another name."),
        ("one exists already", "one exists already."),
        ("夜 exists already", "夜 exists already."),
        ("c:/pictures/night cannot be read", "c:/pictures/night cannot be read."),
        ("'relux' is unknown", "'relux' is unknown."),
        ("", "."),
    ],
)
def test_a_sentence_begins_with_a_capital_but_not_in_a_name(words: str, said: str):
    assert sentence(words) == said
