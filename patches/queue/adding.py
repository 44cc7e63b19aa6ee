"""Jobs added to the queue by this process, and what it asks of those that are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...hypernetworks.queue import Entry, QueuedJob
from ..patching import switches
from . import place
from .worker import worker


def add(job: QueuedJob, after: int | None = None) -> Entry:
    """Add a job, let the worker look, and return it; raises SettingsError and QueueError as `Queue.add` does."""
    entry = place.queue().add(job, after)
    worker.start()
    worker.tell()
    return entry


def added(job: QueuedJob) -> str:
    """Add a job; return the sentence on that. Raises what `add` does."""
    entry = add(job)
    waiting = [one.id for one in place.queue().entries() if one.is_open]
    place_ = waiting.index(entry.id) + 1 if entry.id in waiting else 1
    return f"Added to the queue as job {entry.id}; it is number {place_}."


def ask(act: Callable[..., Any], *given: Any) -> None:
    """Ask something of the queue, which `act` takes before `given`, and let the worker see; raises what `act` does."""
    act(place.queue(), *given)
    worker.start()
    worker.tell()


def begin(_demo: Any = None, _app: Any = None) -> None:
    """Begin with the jobs that the last process left, unless the extension is switched off."""
    if switches.is_on():
        worker.start()
