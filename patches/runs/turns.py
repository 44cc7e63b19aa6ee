"""The host's queue while a run goes on: who waits for its end, who is let in between two steps, who gives up.

A run keeps the host's queue from its first step to its last. Whoever comes meanwhile waits here, before the queue's
lock and not in it, so that one can be let in before the others, or sent away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from modules import call_queue

from . import withdrawn
from .withdrawn import GaveUpError

_TAKEN_BACK = "Taken back while it waited for a training run."


@dataclass(eq=False)
class Visitor:
    """A job that waits for a run, or that has been let in.

    Attributes:
        task: id of its task in the host's progress; None for a job without one.
    """

    task: str | None
    is_let_in: bool = False
    has_given_up: bool = False


class Turns:
    """Knows which thread has the host's queue, whether a run keeps it, and who waits.

    Attributes:
        changed: notified of everything that a run or a visitor may wait for.
        lets_in_all: whether whoever comes is let in between two steps, without being asked for.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._holder: int | None = None
        self._keeper: int | None = None
        self._is_paused = False
        self._waiting: list[Visitor] = []
        self._guests: list[Visitor] = []
        self._here = threading.local()
        self.lets_in_all = False

    @property
    def is_run_at_work(self) -> bool:
        """Whether a run has the queue now, and has not lent it to others."""
        return self._keeper is not None and self._holder == self._keeper

    @property
    def has_guests(self) -> bool:
        """Whether somebody was let in and is not done yet."""
        return bool(self._guests)

    def waiting(self, task: str) -> Visitor | None:
        """Return who waits with this task; None where nobody does."""
        return next((one for one in self._waiting if one.task == task), None)

    def note_task(self, task: str | None) -> None:
        """Note the task with which this thread is about to come."""
        self._here.task = task

    def arrive(self) -> None:
        """Wait until no run keeps the queue, or until let in; raises GaveUpError where the job is taken back."""
        visitor = Visitor(vars(self._here).pop("task", None))
        self._here.coming = visitor.task
        self._refuse_withdrawn()
        with self.changed:
            if self._may_pass(visitor):
                return
            self._waiting.append(visitor)
            self._here.visitor = visitor
            if self.lets_in_all:
                self._let_in(visitor)
            self.changed.wait_for(lambda: visitor.has_given_up or self._may_pass(visitor))
            if visitor.has_given_up:
                self._dismiss()
                raise GaveUpError(_TAKEN_BACK)

    def enter(self) -> None:
        """Note that this thread has the queue now; raises GaveUpError where its job was taken back on the way."""
        self._refuse_withdrawn()
        with self.changed:
            self._holder = threading.get_ident()
            visitor = vars(self._here).get("visitor")
            if visitor is not None and visitor.has_given_up:
                raise GaveUpError(_TAKEN_BACK)
            if visitor in self._waiting:
                self._waiting.remove(visitor)
                self.changed.notify_all()

    def leave(self) -> None:
        """Note that this thread gives the queue back."""
        with self.changed:
            self._holder = None
            self._dismiss()

    def let_in(self, task: str) -> bool:
        """Let in who waits with this task, once the run is between two steps; return False where nobody does."""
        with self.changed:
            visitor = self.waiting(task)
            if visitor is None:
                return False
            self._let_in(visitor)
        return True

    def let_in_all(self, is_wanted: bool) -> None:
        """Let in all who wait and all who come, or from now on only those who are let in one by one."""
        with self.changed:
            self.lets_in_all = is_wanted
            for visitor in self._waiting if is_wanted and self._keeper is not None else ():
                self._let_in(visitor)

    def wait_for_visitors(self, seconds: float) -> None:
        """Wait until those who came while a run had the queue have it, at most for `seconds`."""
        with self.changed:
            self.changed.wait_for(lambda: not self._waiting, seconds)

    def give_up(self, task: str) -> bool:
        """Take back what waits with this task; return False where nothing does, as when it has begun."""
        with self.changed:
            visitor = self.waiting(task)
            if visitor is None:
                return False
            visitor.has_given_up = True
            withdrawn.end(task)
            self.changed.notify_all()
        return True

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the queue, which this thread has, for a run; where it does not have it, nothing is kept."""
        if self._holder != threading.get_ident():
            yield
            return
        self._keeper = threading.get_ident()
        try:
            yield
        finally:
            with self.changed:
                self._keeper = None
                self._guests.clear()
                self.changed.notify_all()

    @contextmanager
    def lent(self, is_paused: bool) -> Iterator[None]:
        """Give the queue to those who were let in, or to everybody in a pause, and take it back at the end."""
        if not self.is_run_at_work:
            yield
            return
        lock = call_queue.queue_lock
        with self.changed:
            self._is_paused = is_paused
            self.changed.notify_all()
        lock.__exit__(None, None, None)
        try:
            yield
        finally:
            self._is_paused = False
            lock.__enter__()

    def wait_until(self, check: Callable[[], bool]) -> None:
        """Wait until `check` is true; it is asked whenever something changes."""
        with self.changed:
            self.changed.wait_for(check)

    def tell(self) -> None:
        """Let all who wait look again."""
        with self.changed:
            self.changed.notify_all()

    def _refuse_withdrawn(self) -> None:
        """Raise GaveUpError where the job of this thread was interrupted before it began."""
        task = vars(self._here).get("coming")
        if task is not None and withdrawn.holds(task):
            withdrawn.end(task)
            raise GaveUpError(withdrawn.BEFORE_IT_BEGAN)

    def _dismiss(self) -> None:
        """Forget the visitor of this thread."""
        visitor = vars(self._here).pop("visitor", None)
        for those in (self._waiting, self._guests):
            if visitor in those:
                those.remove(visitor)
        self.changed.notify_all()

    def _let_in(self, visitor: Visitor) -> None:
        visitor.is_let_in = True
        if visitor not in self._guests:
            self._guests.append(visitor)
        self.changed.notify_all()

    def _may_pass(self, visitor: Visitor) -> bool:
        return self._is_paused or visitor.is_let_in or self._keeper in (None, threading.get_ident())


#: The turns of this process.
turns = Turns()
