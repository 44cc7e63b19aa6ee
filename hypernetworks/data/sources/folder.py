"""The dataset folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...base.disk import is_left_behind, walk
from ...base.errors import SettingsError
from ...base.outside import is_folder, shown_path
from ...base.suggestions import no_folder
from ..repeats import UNNUMBERED, ZERO, NamedRepeats, named_repeats
from ..source import source
from ..subsets import Subset

_log = logging.getLogger(__name__)


@source("folder", order=10)
def folder(settings: Any, base: Subset) -> Iterator[Subset]:
    """Yield the folder or, where the names of its folders give repeats, each of them."""
    return of_folder(settings, base)


def of_folder(settings: Any, subset: Subset) -> Iterator[Subset]:
    """Yield the folder of a subset or, where the names of its folders give repeats, each of them.

    As in kohya's trainer, what lies beside folders with repeats is passed over then.

    Raises:
        SettingsError: it does not exist, or a name gives repeats that cannot be.
    """
    if not is_folder(subset.folder):
        raise SettingsError(f"data.{subset.setting}", no_folder(subset.folder))
    inner = _folders(subset) if settings.folder_repeats else []
    numbered = {path: found for path in inner if (found := _named(path, subset)) is not None}
    if not numbered:
        if settings.folder_repeats:
            _log.info("No folder in %s has repeats in its name; they are not counted.", shown_path(subset.folder))
        yield subset
        return
    for path, (repeats, class_tokens) in numbered.items():
        source = replace(subset.source, class_tokens=class_tokens)
        if repeats:
            _refuse_inner(path, subset)
        yield replace(subset, folder=path, repeats=repeats * subset.repeats, source=source, passed_over_by=ZERO)
    passed_over = replace(subset, repeats=0, passed_over_by=UNNUMBERED)
    yield replace(passed_over, is_deep=False)
    yield from (replace(passed_over, folder=path) for path in inner if path not in numbered)


def _folders(subset: Subset) -> list[Path]:
    try:
        inner = sorted(subset.folder.iterdir())
    except OSError as error:
        reason = f"{shown_path(subset.folder)} cannot be read ({error.strerror})"
        raise SettingsError(f"data.{subset.setting}", reason) from error
    return [path for path in inner if is_folder(path) and not is_left_behind(path.name)]


def _named(folder: Path, subset: Subset) -> NamedRepeats | None:
    try:
        return named_repeats(folder.name)
    except ValueError as error:
        raise SettingsError(f"data.{subset.setting}", f"{shown_path(folder)}: {error}") from None


def _refuse_inner(folder: Path, subset: Subset) -> None:
    """Raise SettingsError for repeats within repeats: it is not plain how often they are meant to be shown."""
    try:
        files = walk(folder).files
    except OSError:  # it is named when its pictures are looked for
        return
    inner = {folder / parent for path in files for parent in path.relative_to(folder).parents} - {folder}
    for path in sorted(inner):
        if _named(path, subset) is not None:
            raise SettingsError(
                f"data.{subset.setting}",
                f"{shown_path(path)} has repeats and lies in a folder that has them too; move it out of {folder.name}, "
                "or take the number off its name",
            )
