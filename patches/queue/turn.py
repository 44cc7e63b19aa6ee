"""The turn of a job: what its work may use, and how it learns that it is to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup
from PIL import Image

from ...hypernetworks.base.errors import TrainingError, WorkbenchError
from ...hypernetworks.base.registry import Registry
from ...hypernetworks.queue.claims import Progress, remember
from ...hypernetworks.queue.entry import INTERRUPTED, PAUSED, Entry
from ...hypernetworks.queue.store import Queue
from ...hypernetworks.train import TrainResult
from ...hypernetworks.train.paths import OutputPaths
from ...hypernetworks.train.settings.job import Job
from ..embedding.words import embedding_dir
from ..model import host
from ..runs import folders, training
from ..runs.in_turn import in_turn
from ..runs.run import Run, RunBusyError, runs

ResultT = TypeVar("ResultT")
Work = Callable[[Any, "Turn"], str]
#: What is done with each kind of job; it returns sentences on the result and raises WorkbenchError.
WORK: Registry[Work] = Registry(room=f"{__package__}.work")
_MAKING = "making"
_PATIENCE_S = 1.0


class StoppedError(WorkbenchError):
    """A job ends before its end: somebody paused it or took it back, or the process ends."""


def work_of(kind: str) -> Callable[[Work], Work]:
    """Return the decorator that adds a function to `WORK`."""

    def add(work: Work) -> Work:
        WORK.add(kind, work)
        return work

    return add


class Turn:
    """The turn of a job. It is the port `Progress` too, for what reports to one.

    Attributes:
        entry: the job in the queue.
        memo: what earlier turns of it remembered.
        stopped_as: the state in which it is to be left; None while it is to be worked on.
    """

    def __init__(self, queue: Queue, entry: Entry) -> None:
        self.entry = entry
        self.memo: dict[str, Any] = dict(entry.memo)
        self.stopped_as: str | None = None
        self._queue = queue
        self._progress = Progress()
        self._run: Run | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether it is to end."""
        return self.stopped_as is not None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        run = self._run
        return self._progress if run is None else Progress(run.done, run.total, run.text, run.left_s)

    def stop(self, state: str) -> None:
        """Ask it to end, to be left in `state`."""
        self.stopped_as = state
        if self._run is not None and runs.active is self._run:
            training.interrupt()

    def check(self) -> None:
        """Raise StoppedError where it is to end."""
        if self.is_stopped:
            raise StoppedError("the job was stopped")

    def report(self, done: int, total: int, text: str, left_s: float | None = None) -> None:
        """Note that `done` of `total` parts are over."""
        self._progress = Progress(done, total, text, left_s)

    def draw(self, chart: Markup) -> None:
        """Do nothing: the list shows no charts."""

    def show(self, picture: Image.Image) -> None:
        """Do nothing: the list shows no pictures."""

    def is_interrupted(self) -> bool:
        """Tell whether it is to end, as the port has it."""
        return self.is_stopped

    def remember(self, **values: Any) -> None:
        """Keep plain values for the next turn of this job, also through a kill; raises QueueError."""
        self.memo |= values
        remember(self._queue, self.entry, self.memo)

    @contextmanager
    def making(self, path: Path) -> Iterator[bool]:
        """Yield whether a new file is still to be made; not where an earlier turn was killed after it had made it."""
        is_there = path.exists()
        if is_there and self.memo.get(_MAKING) == str(path):
            yield False
            return
        self.remember(**{_MAKING: "" if is_there else str(path)})
        try:
            yield True
        except BaseException:
            self.remember(**{_MAKING: ""})  # a file of this name is somebody else's from now on
            raise

    def has_state(self, job: Job) -> bool:
        """Tell whether an earlier turn of this job has saved a state of the run of `job`."""
        paths = OutputPaths.at(job, host.network_dir(), folders.log_dir(), True, embedding_dir())
        return any(path.stat().st_mtime >= (self.entry.started or 0.0) for path in paths.states())

    def train(self, job: Job, resume: bool = False) -> TrainResult:
        """Train as `job` says, when no other run is active and the host's queue has reached it.

        Raises:
            StoppedError: it was stopped; what it had is saved.
            WorkbenchError: see `patches.runs.training.run_job`.
        """
        return self.carried_out(
            job, lambda: training.run_job(job, resume=resume), lambda result: not result.interrupted
        )

    def carried_out(self, job: Job, act: Callable[[], ResultT], is_whole: Callable[[ResultT], bool]) -> ResultT:
        """Do what trains as `job` says, when no other run is active and the host's queue has reached it.

        Args:
            is_whole: tells whether a result is that of the end, and not of an interrupt.

        Raises:
            StoppedError: it was stopped; what it had is saved.
            WorkbenchError: what `act` raises.
        """
        run = self._claimed(job)
        try:
            result = training.carry_out(run, act)
        finally:
            self._progress, self._run = self.progress, None
        if result is not None and is_whole(result):
            return result
        if run.is_cancelled and not self.is_stopped:  # by somebody else
            self.stopped_as = INTERRUPTED if run.ends_with_host else PAUSED
        if result is None and run.problem is not None:
            raise run.problem
        self.check()
        raise TrainingError("the run ended with an error; the host's console has it")

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Wait for the turn in the host's queue, for work that needs the GPU; raises StoppedError."""
        with in_turn(f"task(queue-{self.entry.id}-{self.entry.attempts})", lambda: not self.is_stopped):
            self.check()
            yield

    def _claimed(self, job: Job) -> Run:
        while True:
            self.check()
            try:
                run = runs.claim(job.output.name)
            except RunBusyError:
                if (other := runs.active) is not None:
                    other.over.wait(_PATIENCE_S)
                continue
            run.job, self._run = job, run
            if self.is_stopped:  # since it was looked at
                training.interrupt()
            return run
