"""The folder of pictures that are never trained: the validation loss is measured on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...base.options import setting
from ..captions import CaptionMetadata
from ..source import FOLDERS, source
from ..subsets import Subset
from .folder import of_folder

_FOLDER = setting(
    "",
    "Validation folder",
    "Pictures that are never trained, to measure the validation loss on; it may lie in the dataset folder.",
    group=FOLDERS,
    starts_row=True,
    is_path=True,
)


@source("validation_folder", order=30, options={"validation_folder": _FOLDER}, is_taught=False, is_held_out=True)
def validation_folder(settings: Any, base: Subset) -> Iterator[Subset]:
    """Yield the folder or, where the names of its folders give repeats, each of them."""
    held = replace(base, folder=Path(settings.validation_folder), is_held_out=True, setting="validation_folder")
    # What a metadata file lists is the dataset.
    return of_folder(settings, replace(held, source=replace(base.source, metadata=CaptionMetadata())))
