"""The progress of the work before the first step."""

from __future__ import annotations

from ..base.errors import DatasetError
from ..ports import Progress


def report(progress: Progress, done: int, total: int, text: str) -> None:
    """Show the progress of the work that `text` names.

    Raises:
        DatasetError: the user asked for its end.
    """
    if progress.is_interrupted():
        raise DatasetError(f"stopped by hand before the first step: {text}, {done} of {total}")
    progress.report(done, total, f"{text}, {done} of {total}")
