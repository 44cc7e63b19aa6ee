"""Interrupt for one job of one page, by the id of its task, whatever it is doing: nobody else's job is touched."""

from __future__ import annotations

from modules import progress, shared

from . import side_jobs
from .turns import turns


def interrupt(task: str) -> bool:
    """Stop the job of a task that waits or runs, and return True; False where there is none, as when it is over."""
    if side_jobs.interrupt(task) or turns.give_up(task):
        return True
    is_running = bool(task) and progress.current_task == task
    if is_running:
        shared.state.interrupt()
    return is_running
