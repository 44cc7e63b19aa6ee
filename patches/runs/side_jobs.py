"""Jobs that need neither GPU nor model: each runs at once, beside what the host does, with its own progress."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from modules import progress
from PIL import Image

from ...hypernetworks.ports import Progress
from ..model.host import HostProgress
from . import withdrawn


@dataclass(eq=False)
class SideJob:
    """The port `Progress` of a job that is not the host's."""

    done: int = 0
    total: int = 0
    text: str = ""
    is_cancelled: bool = False

    def report(self, done: int, total: int, text: str) -> None:
        """Note that `done` of `total` parts are over."""
        self.done, self.total, self.text = done, total, text

    def draw(self, chart: Markup) -> None:
        """Do nothing: these jobs draw no curves."""

    def show(self, picture: Image.Image) -> None:
        """Do nothing: these jobs make no pictures to look at meanwhile."""

    def is_interrupted(self) -> bool:
        """Tell whether who started it wants it to stop."""
        return self.is_cancelled


_jobs: dict[str, SideJob] = {}
_here = threading.local()


def beside(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the handler of a button, whose first argument is the task: it runs at once, outside of the host's queue."""

    @functools.wraps(handler)
    def start(task: str, *entered: Any) -> Any:
        job = _here.job = _jobs[task] = SideJob(is_cancelled=withdrawn.holds(task))
        try:
            return handler(task, *entered)
        finally:
            del _jobs[task], _here.job
            job.is_cancelled = True
            progress.finish_task(task)  # the page waits for that

    return start


@contextmanager
def reporting_to(progress: Progress) -> Iterator[None]:
    """Let what this thread does inside of the block report to `progress`."""
    _here.job = progress
    try:
        yield
    finally:
        del _here.job


def find(task: str | None) -> SideJob | None:
    """Return the job that runs with this task."""
    return _jobs.get(task or "")


def interrupt(task: str) -> bool:
    """Ask the job with this task to stop; return False where there is none."""
    job = find(task)
    if job is not None:
        job.is_cancelled = True
    return job is not None


def present_progress() -> Progress:
    """Return the progress of the job in this thread: that of a side job, else the host's."""
    return getattr(_here, "job", None) or HostProgress()
