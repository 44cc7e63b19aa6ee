"""A trial of a study as it is recorded, and what keeps the records for all workers."""

from __future__ import annotations

import json
import logging
import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psutil

from ..base.errors import WorkbenchError

WAITING, RUNNING = "waiting", "running"
COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
#: The states in which a trial is over, for good.
OVER = (COMPLETE, PRUNED, FAILED)
#: So often a worker says that it is alive, and after so long in silence its trial is another's.
BEAT_S, GRACE_S = 10.0, 60.0
_SAME_START_S = 2.0
TAKEN_UP = "Trial %d was silent for long, and another worker has taken it up; what came of it here is not kept."
_log = logging.getLogger(__name__)


class StudyError(WorkbenchError):
    """A study cannot be opened, or is of something else."""


@dataclass(frozen=True)
class Trial:
    """A trial.

    Attributes:
        number: its place in the study, from 0.
        point: the values that it tries, by setting; empty before they are chosen.
        values: what was measured at its end, one for each objective.
        reports: what was measured on the way: the part of the run that was done, and the value.
        facts: plain values about it, such as its steps and seconds, or the sentence of its failure.
    """

    number: int
    state: str = WAITING
    point: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    reports: tuple[tuple[int, float], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Optimizer steps that it took, those included that were lost where it was broken off."""
        return int(self.facts.get("steps_taken", self.facts.get("steps", 0)))

    @property
    def seconds(self) -> float:
        """How long it took, each time that it was worked at."""
        return float(self.facts.get("seconds", 0.0))


class Store(Protocol):
    """Keeps a study, for one worker or for many; every method may be called by each of them at any time."""

    def define(self, text: str) -> str:
        """Keep what the study is made of, unless it is kept already or `text` is empty; return what is kept."""

    def trials(self) -> list[Trial]:
        """Return all trials that were begun, by number."""

    def claim(self, number: int) -> Trial | None:
        """Take a trial that nobody has, or that a dead worker had; None where it is over or another's."""

    def set_point(self, number: int, point: Mapping[str, Any]) -> None:
        """Keep the values that this worker's trial tries."""

    def report(self, number: int, part: int, value: float) -> None:
        """Keep what was measured on the way."""

    def finish(self, number: int, state: str, values: Sequence[float], facts: Mapping[str, Any]) -> None:
        """End this worker's trial; `WAITING` gives it back, for whoever comes next.

        Where another worker has taken it up meanwhile, nothing is kept.
        """

    def beat(self, number: int, spent: Mapping[str, Any]) -> None:
        """Say that the worker of the trial is alive, and what the trial has taken so far, as facts."""


def me() -> str:
    """Return what tells this worker from others, on this machine and on all."""
    process = psutil.Process()
    return json.dumps({"host": platform.node(), "pid": process.pid, "started": process.create_time()})


def is_gone(worker: str) -> bool:
    """Tell whether a worker of this machine has ended; of another machine nothing can be told."""
    try:
        found = json.loads(worker)
        host, pid, started = str(found["host"]), int(found["pid"]), float(found["started"])
    except (ValueError, KeyError, TypeError):  # of nobody
        return True
    if host != platform.node():
        return False
    try:
        return abs(psutil.Process(pid).create_time() - started) > _SAME_START_S
    except psutil.Error:
        return True


@contextmanager
def alive(store: Store, number: int, spent: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Say that this worker is alive as long as the block runs, and what its trial has taken so far."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_S):
            try:
                store.beat(number, spent())
            except StudyError as error:  # it may be reached again before the trial is over
                _log.warning("The study was not told that trial %d goes on: %s", number, error)

    thread = threading.Thread(target=beat, name=f"trial-{number}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
