"""Interrupt for one job of one page, by the id of its task, whatever it is doing: nobody else's job is touched."""

from __future__ import annotations

from modules import progress, shared

from . import side_jobs, withdrawn
from .turns import turns


def interrupt(task: str) -> bool:
    """Stop the job of a task that comes, waits or runs, and return True; False where there is none, or it is over."""
    if side_jobs.interrupt(task) or turns.give_up(task):
        return True
    if task and progress.current_task == task:
        shared.state.interrupt()
        return True
    return withdrawn.note(task)
