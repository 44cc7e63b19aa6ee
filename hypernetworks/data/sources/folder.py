"""The dataset folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...base.errors import SettingsError
from ...base.outside import is_folder, shown_path
from ..source import source
from ..subsets import Subset

_REPEATS = re.compile(r"^(\d{1,6})_(.+)$", re.ASCII)


@source("folder", order=10)
def folder(settings: Any, base: Subset) -> Iterator[Subset]:
    """Yield the folder or, where the names of its folders give repeats, each of them."""
    return of_folder(settings, base)


def of_folder(settings: Any, subset: Subset) -> Iterator[Subset]:
    """Yield the folder of a subset or, where the names of its folders give repeats, each of them.

    Raises:
        SettingsError: it does not exist.
    """
    if not is_folder(subset.folder):
        raise SettingsError(f"data.{subset.setting}", f"{shown_path(subset.folder)} is not a folder")
    numbered = []
    if settings.folder_repeats:
        numbered = [p for p in sorted(subset.folder.iterdir()) if p.is_dir() and _REPEATS.match(p.name)]
    if not numbered:
        yield subset
    for folder in numbered:
        found = _REPEATS.match(folder.name)
        if found:
            source = replace(subset.source, class_tokens=found[2].replace("_", " ").strip())
            yield replace(subset, folder=folder, repeats=int(found[1]) * subset.repeats, source=source)
