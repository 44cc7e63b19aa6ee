"""The optimizers of the list, for tests of each: one whose package is not installed is skipped with its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypernetwork_workbench.hypernetworks.train.optim import optimizers
from hypernetwork_workbench.hypernetworks.train.optim.installed import is_installed


def case(name: str, *more: Any) -> Any:
    """Return the parameters of a test of an optimizer."""
    kind = optimizers.kind_of(name)
    skip = pytest.mark.skipif(not is_installed(kind.module), reason=f"needs the package {kind.package}")
    return pytest.param(name, *more, marks=skip)


def every() -> list[Any]:
    """Return the parameters of a test of each optimizer of the list."""
    return [case(name) for name in optimizers.KINDS]
