"""The worker: takes one job of the queue after the other, in a thread of the host process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...hypernetworks.base.errors import QueueError, SettingsError, WorkbenchError
from ...hypernetworks.jobs.train_entry import in_words
from ...hypernetworks.queue import Entry, Queue
from ...hypernetworks.queue.claims import LostError, beat, claim, let_go, release
from ...hypernetworks.queue.entry import CANCEL, CANCELLED, DONE, FAILED, INTERRUPTED, PAUSED
from ...hypernetworks.queue.owner import Owner
from ..patching.error_reports import report_unexpected
from ..runs.run import runs
from ..runs.turns import turns
from . import place
from .turn import WORK, StoppedError, Turn

_log = logging.getLogger(__name__)
_POLL_S = 2.0
_BEAT_S = 2.0
#: So long the jobs of others that waited for one of ours have to take the host's queue before the next of ours.
_VISITORS_S = 30.0
_PATIENCE_S = 120.0


class Worker:
    """The one worker of this process."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._turn: Turn | None = None
        self._is_ended = False
        self._told = threading.Event()

    @property
    def at_work(self) -> Turn | None:
        """The turn that goes on."""
        return self._turn

    def start(self) -> None:
        """Work on what is in the queue and on what is added, until `end`; do nothing where it works already."""
        if self._thread is not None and self._thread.is_alive() and not self._is_ended:
            return
        self._is_ended = False
        self._thread = threading.Thread(target=self.run, name="hnw-queue", daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """Let it look at the queue at once."""
        self._told.set()

    def ask_end(self) -> None:
        """Ask what `end` does, without waiting for it."""
        self._is_ended = True
        self.tell()

    def end(self) -> None:
        """Stop the job at work, which goes on at the next start, and wait until it has saved."""
        self.ask_end()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE_S)
            if thread.is_alive():
                _log.warning("The job of the queue did not end within %.0f s.", _PATIENCE_S)

    def run(self, until_empty: bool = False) -> None:
        """Take job after job in this thread, until `end`; with `until_empty` until none can begin."""
        owner, said = Owner.here(), ""
        while not self._is_ended:
            self._told.clear()
            queue = place.queue()
            try:
                with report_unexpected():
                    entry = None if runs.active is not None else claim(queue, owner)
                    if entry is not None:
                        self._carry_out(queue, entry)
                said = ""
            except WorkbenchError as error:
                if str(error) != said:
                    _log.warning("The queue stands still: %s", error)
                entry, said = None, str(error)
            if entry is None:
                if until_empty:
                    return
                self._told.wait(_POLL_S)

    def _carry_out(self, queue: Queue, entry: Entry) -> None:
        began = time.monotonic()
        _log.info("The queue begins job %d, %s %s.", entry.id, entry.kind, entry.title)
        try:
            turn = self._turn = Turn(queue, entry)
            with self._pulse(queue, turn):
                state, outcome = _outcome(turn)
            if state == INTERRUPTED:  # the process ends: nothing else begins in it
                self._is_ended = True
            release(queue, entry, state, outcome, time.monotonic() - began)
        finally:
            self._turn = None
            let_go(queue, entry)
        _log.info("Job %d of the queue is %s. %s", entry.id, state, outcome)
        turns.wait_for_visitors(_VISITORS_S)

    @contextmanager
    def _pulse(self, queue: Queue, turn: Turn) -> Iterator[None]:
        """Tell the queue how far the job is while the block runs, and the job what is wanted of it."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(queue, turn, is_over), name="hnw-queue-pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            self.tell()
            thread.join()
            turns.let_in_all(False)

    def _beat(self, queue: Queue, turn: Turn, is_over: threading.Event) -> None:
        is_last = False
        while not is_last:
            is_last = is_over.is_set()
            self._told.clear()
            try:
                turns.let_in_all(place.lets_in() == place.BETWEEN_STEPS)
                wish = beat(queue, turn.entry, turn.progress)
            except LostError:
                turn.stop(CANCELLED)
                return
            except QueueError as error:
                _log.warning("The queue does not know how far job %d is: %s", turn.entry.id, error)
                wish = None
            if wish is not None and not turn.is_stopped:
                turn.stop(CANCELLED if wish == CANCEL else PAUSED)
            elif self._is_ended and not turn.is_stopped:
                turn.stop(INTERRUPTED)
            if not is_over.is_set():
                self._told.wait(_BEAT_S)  # the end of the block ends it too


def _outcome(turn: Turn) -> tuple[str, str]:
    """Do the work; return the state of the job afterwards, and sentences."""
    entry = turn.entry
    try:
        with report_unexpected():
            job = entry.job()
            if entry.kind not in WORK:
                raise SettingsError("kind", f"this host cannot do jobs of the kind {entry.kind}")
            return DONE, WORK[entry.kind](job, turn)
    except StoppedError:
        return turn.stopped_as or PAUSED, ""
    except WorkbenchError as error:
        if turn.stopped_as is not None:
            return turn.stopped_as, f"{in_words(error)}"
        return FAILED, f"{in_words(error)}"


#: The worker of this process.
worker = Worker()
