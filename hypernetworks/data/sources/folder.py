"""The dataset folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..source import source
from ..subsets import Subset, of_folder


@source("folder", order=10)
def folder(settings: Any, base: Subset) -> Iterator[Subset]:
    """Yield the folder or, where the names of its folders give repeats, each of them."""
    return of_folder(settings, base)
