"""The folder of regularisation pictures, which show what should not change."""

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
    "Regularisation folder",
    "Pictures of what should not change; as many are shown as of the others.",
    group=FOLDERS,
    starts_row=True,
    is_path=True,
)


@source("regularisation_folder", order=20, options={"regularisation_folder": _FOLDER}, is_taught=False)
def regularisation_folder(settings: Any, base: Subset) -> Iterator[Subset]:
    """Yield the folder or, where the names of its folders give repeats, each of them."""
    folder = Path(settings.regularisation_folder)
    regular = replace(base, folder=folder, weight=1.0, is_regularisation=True, setting="regularisation_folder")
    # Masks and metadata belong to the pictures that teach something, not to regularisation pictures.
    regular = replace(regular, repeats=1, masks="off", source=replace(base.source, metadata=CaptionMetadata()))
    return of_folder(settings, regular)
