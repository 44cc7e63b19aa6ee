"""Turns unexpected errors into one sentence, with a report for the developers.

Standard library only, so that it also works where nothing is installed yet.
"""

from __future__ import annotations

import logging
import platform
import secrets
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

from .atomic import write_text
from .errors import WorkbenchError, is_out_of_memory, too_little_memory

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("torch", "gradio", "numpy", "pillow", "safetensors", "pytorch-optimizer")
_MAX_REPORTS = 50
_MAX_FRAMES = 30
_MAX_CHARACTERS = 200
_log = logging.getLogger(__name__)

#: Called with every unexpected error.
observers: list[Callable[[Exception], None]] = []


class UnexpectedError(WorkbenchError):
    """An unexpected error occurred; the message says where its report is."""


@contextmanager
def report_unexpected(folder: Callable[[], Path]) -> Iterator[None]:
    """Let errors with a sentence of their own pass, and turn any other error into one sentence with a report.

    Args:
        folder: returns the folder for the report; called only when there is one.

    Raises:
        UnexpectedError: an error other than a WorkbenchError was raised in the block.
        WorkbenchError: there was too little memory.
    """
    try:
        yield
    except WorkbenchError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise WorkbenchError(too_little_memory(error)) from error
        for observe in observers:
            observe(error)
        shown = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_CHARACTERS]
        raise UnexpectedError(f"an unexpected error occurred ({shown}); {_written(error, folder)}") from error


def _written(error: Exception, folder: Callable[[], Path]) -> str:
    """Write the report, and return a part of a sentence about it."""
    try:
        target = folder()
        target.mkdir(parents=True, exist_ok=True)
        for old in sorted(target.glob("report-*.txt"))[: -_MAX_REPORTS + 1]:
            with suppress(OSError):
                old.unlink()
        path = target / f"report-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}.txt"
        write_text(path, report_text(error))
    except (OSError, WorkbenchError) as reason:
        _log.warning("The report of an error cannot be written: %s", reason)
        return "its report cannot be written"
    return f"send the report {path}, which has no texts of yours in it"


def report_text(error: BaseException) -> str:
    """Return versions, and types and frames of an error and its causes, as text.

    Messages are left out, since they may hold captions and prompts, and so are folders outside of this project.
    """
    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            lines.append(f"{name} {metadata.version(name)}")
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        lines += ["", f"{type(cause).__module__}.{type(cause).__qualname__}", *_frame_lines(cause)]
        cause = cause.__cause__ or cause.__context__
    return "\n".join(lines) + "\n"


def _frame_lines(error: BaseException) -> list[str]:
    found = [f"  {_shown(Path(frame.filename))}:{line} in {frame.name}" for frame, line in _frames(error)]
    return found[-_MAX_FRAMES:]  # the end of an endless recursion is enough


def _frames(error: BaseException) -> Iterator[tuple[traceback.FrameSummary, int | None]]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield frame, frame.lineno


def _shown(path: Path) -> str:
    try:
        return path.resolve().relative_to(_ROOT).as_posix()
    except ValueError:
        return "/".join(path.parts[-2:])
