"""The last net: what nobody foresaw becomes one sentence, with a report for those who can mend it.

Standard library only, so that it also stands where nothing is installed yet.
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
_MOST_REPORTS = 50
_MOST_PLACES = 30
_MOST_CHARACTERS = 200
_log = logging.getLogger(__name__)

#: Called with every error that a net catches.
observers: list[Callable[[Exception], None]] = []


class UnforeseenError(WorkbenchError):
    """Something that nobody foresaw went wrong; the message says where its report is."""


@contextmanager
def last_net(folder: Callable[[], Path]) -> Iterator[None]:
    """Let errors with a sentence of their own pass, and turn any other into one sentence.

    Args:
        folder: returns where the report is written; called only when there is one.

    Raises:
        UnforeseenError: something else than a WorkbenchError was raised in the block.
        WorkbenchError: the memory did not suffice.
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
        told = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_CHARACTERS]
        raise UnforeseenError(
            f"something went wrong that nobody foresaw ({told}); {_written(error, folder)}"
        ) from error


def _written(error: Exception, folder: Callable[[], Path]) -> str:
    """Write the report, and return a part of a sentence about it."""
    try:
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
        for old in sorted(place.glob("report-*.txt"))[: -_MOST_REPORTS + 1]:
            with suppress(OSError):
                old.unlink()
        path = place / f"report-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}.txt"
        write_text(path, report(error))
    except (OSError, WorkbenchError) as reason:
        _log.warning("The report of an error cannot be written: %s", reason)
        return "its report cannot be written"
    return f"send the report {path}, which has no texts of yours in it"


def report(error: BaseException) -> str:
    """Return versions, and type and places of an error and its causes.

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
        lines += ["", f"{type(cause).__module__}.{type(cause).__qualname__}", *_places(cause)]
        cause = cause.__cause__ or cause.__context__
    return "\n".join(lines) + "\n"


def _places(error: BaseException) -> list[str]:
    found = [f"  {_shown(Path(frame.filename))}:{line} in {frame.name}" for frame, line in _frames(error)]
    return found[-_MOST_PLACES:]  # of an endless recursion the end says enough


def _frames(error: BaseException) -> Iterator[tuple[traceback.FrameSummary, int | None]]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield frame, frame.lineno


def _shown(path: Path) -> str:
    try:
        return path.resolve().relative_to(_ROOT).as_posix()
    except ValueError:
        return "/".join(path.parts[-2:])
