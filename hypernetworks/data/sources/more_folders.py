"""More folders, one per line, with options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...base.options import setting
from ..kohya import read_lines
from ..source import FOLDERS, source
from ..subsets import Subset

_LINES = setting(
    "",
    "More folders",
    "One per line, with options after a bar: cats | num_repeats=10, flip_aug=true. The options are those of a "
    "subset in a dataset file; put a value with a comma in double quotes.",
    group=FOLDERS,
    starts_row=True,
    starts_with_paths=True,
    lines=2,
)


def _first(text: str) -> str:
    return text.splitlines()[0].partition("|")[0].strip()


@source("more_folders", order=30, options={"more_folders": _LINES}, first=_first)
def more_folders(settings: Any, base: Subset) -> Iterator[Subset]:
    """Yield a folder for each line."""
    return read_lines(settings.more_folders, base)
