"""Numbers of settings: what is taken at its limits, and refused beyond them."""

from __future__ import annotations

from typing import Any

import pytest
from hypernetwork_workbench.hypernetworks.base.errors import SettingsError
from hypernetwork_workbench.hypernetworks.base.options import Settings


def check_limits(kind: type[Settings], field: str, smallest: float, largest: float, **others: Any) -> None:
    """Fail unless the field takes both limits and nothing beyond them.

    Args:
        others: values of other fields that these limits need.
    """
    step = 1 if isinstance(smallest, int) else max(abs(largest), abs(smallest)) * 1e-7
    for value in (smallest, largest):
        assert getattr(kind.from_mapping({field: value} | others), field) == value
    for value in (smallest - step, largest + step):
        with pytest.raises(SettingsError) as caught:
            kind.from_mapping({field: value} | others)
        assert caught.value.field == field, (field, value)
