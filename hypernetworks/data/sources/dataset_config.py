"""A dataset file of kohya's trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...base.options import setting
from ..kohya import named_paths, read_config
from ..source import FOLDERS, source
from ..subsets import Subset

_FILE = setting(
    "",
    "Dataset file",
    "A dataset_config of kohya's trainer, .toml or .json; it takes precedence over this form.",
    group=FOLDERS,
    is_path=True,
)


@source("dataset_config", order=40, options={"dataset_config": _FILE}, names_paths=named_paths)
def dataset_config(settings: Any, base: Subset) -> list[Subset]:
    """Return the subsets of the file."""
    return read_config(Path(settings.dataset_config), base)
