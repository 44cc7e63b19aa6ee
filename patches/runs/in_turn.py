"""A job of ours in its turn of the host's queue, as the host's own jobs are in theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modules import call_queue, progress, shared


@contextmanager
def in_turn(task: str, is_wanted: Callable[[], bool]) -> Iterator[bool]:
    """Wait for the turn of a task and yield whether it is still wanted then; the host shows it while the block runs."""
    progress.add_task_to_queue(task)
    try:
        with call_queue.queue_lock:
            if not is_wanted():
                yield False
                return
            shared.state.begin(job=task)
            progress.start_task(task)
            try:
                yield True
            finally:
                shared.state.end()
    finally:
        progress.pending_tasks.pop(task, None)
        progress.finish_task(task)
