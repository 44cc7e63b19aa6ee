"""The training run of this process; there is one at a time."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from ...hypernetworks.base.errors import TrainingError, WorkbenchError
from ...hypernetworks.train import TrainResult
from ...hypernetworks.train.settings.job import Job
from ...hypernetworks.train.tracking.monitor import clock
from . import withdrawn

WAITING, RUNNING, PAUSED, FINISHED = "waiting", "running", "paused", "finished"
INTERRUPTED, FAILED = "interrupted", "failed"
#: The states in which a run has begun and is not over.
GOING_ON = (RUNNING, PAUSED)
_REMEMBERED = 50
_NO_CHART = Markup()


class RunBusyError(TrainingError):
    """Another run has not ended yet."""


@dataclass
class Run:
    """A training run, waiting for its turn, running or over.

    Attributes:
        name: name of the network; empty until it is known.
        done, total: optimizer steps, or pictures while they are encoded.
        text: progress in one line.
        started, ended: seconds since the epoch.
        task: id of its task in the host's progress; None without a page.
        left_s: seconds that it will still take; None where that is unknown.
        chart: its curves, as SVG.
        is_cancelled: whether somebody interrupted it.
        is_paused: whether somebody wants it to stand aside after its step.
        wishes: what is to be done after its step.
        is_study: whether it is a study, whose trials have settings of their own.
        is_of_host_api: whether the host's own HTTP route began it.
        ends_with_host: whether it was interrupted because the process ends, or the page is built anew.
        problem: the error it failed with, if it was one with a sentence for users.
    """

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    name: str = ""
    job: Job | None = None
    state: str = WAITING
    done: int = 0
    total: int = 0
    text: str = ""
    started: float = field(default_factory=time.time)
    ended: float | None = None
    task: str | None = None
    left_s: float | None = None
    chart: Markup = _NO_CHART
    is_cancelled: bool = False
    is_paused: bool = False
    wishes: list[Any] = field(default_factory=list)
    is_study: bool = False
    is_of_host_api: bool = False
    ends_with_host: bool = False
    problem: WorkbenchError | None = None
    result: TrainResult | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def work(self) -> str:
        """What it does, as a part of a sentence."""
        return f"the training of {self.name}" if self.state in GOING_ON else "a job of Train Gamma"

    def line(self) -> str:
        """Return a sentence about the run for another user, without its losses and rates."""
        if not self.name:  # it need not become a run: checks and the search for a rate have no name
            return "another job of training is going on; wait for its end, or interrupt it"
        if self.state == WAITING:
            return f"{self.name} is being trained (it is about to start); wait for its end, or interrupt it"
        at = f"step {self.done} of {self.total}"
        if self.state == PAUSED:
            return f"{self.name} is being trained (paused after {at}); let it go on, or interrupt it"
        if self.left_s is None:
            return f"{self.name} is being trained; wait for its end, or interrupt it"
        return f"{self.name} is being trained ({at}, {clock(self.left_s)} left); wait for its end, or interrupt it"


class Runs:
    """The active run, and those before it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: Run | None = None
        self._known: OrderedDict[str, Run] = OrderedDict()

    @property
    def active(self) -> Run | None:
        """The run that waits for its turn or is running."""
        return self._active

    def known(self) -> list[Run]:
        """Return the last runs, newest first."""
        return list(reversed(self._known.values()))

    def get(self, id_: str) -> Run | None:
        """Return the run of an id, as long as it is remembered."""
        return self._known.get(id_)

    def claim(self, name: str = "", task: str | None = None) -> Run:
        """Register a new run as the active one.

        Raises:
            RunBusyError: another run is active; says which.
        """
        with self._lock:
            if self._active is not None:
                raise RunBusyError(self._active.line())
            run = self._active = Run(name=name, task=task, is_cancelled=withdrawn.holds(task))
            self._known[run.id] = run
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return run

    def release(self, run: Run) -> None:
        """End the active run; one that was neither finished nor interrupted has failed."""
        with self._lock:
            if run.state in (WAITING, *GOING_ON):
                run.state = INTERRUPTED if run.is_cancelled and run.state == WAITING else FAILED
            run.ended = time.time()
            self._active = None
            for wish in run.wishes:
                wish.refuse()
            if run.job is None:  # only a check, without a job
                self._known.pop(run.id, None)
        run.over.set()

    @contextmanager
    def hold(self, name: str = "", task: str | None = None) -> Iterator[Run]:
        """Keep a run active inside the `with`; raises RunBusyError as `claim` does."""
        run = self.claim(name, task)
        try:
            yield run
        except WorkbenchError as error:
            run.problem = error
            raise
        finally:
            self.release(run)

    def begin(self, job: Job) -> Run | None:
        """Start the active run, if there is one, with `job`, and return it.

        Raises:
            TrainingError: it was interrupted before.
        """
        run = self._active
        if run is not None:
            if run.is_cancelled or withdrawn.holds(run.task):
                raise TrainingError("the run was interrupted before its turn came")
            run.state, run.job, run.name = RUNNING, job, job.output.name
            run.total = 0 if job.counts_epochs else job.steps(1)
        return run

    def note(self, done: int, total: int, text: str) -> None:
        """Record the progress of the active run."""
        run = self._active
        if run is not None:
            run.done, run.total, run.text = done, total, text

    def finish(self, result: TrainResult) -> None:
        """Record the result of the active run, finished or interrupted and saved."""
        run = self._active
        if run is not None:
            run.result = result
            self.end(result.interrupted)

    def end(self, is_interrupted: bool) -> None:
        """Record that the active run has come to its end, or was interrupted before."""
        run = self._active
        if run is not None:
            run.state = INTERRUPTED if is_interrupted else FINISHED


#: The runs of this process.
runs = Runs()
