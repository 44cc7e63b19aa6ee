"""Jobs that were interrupted before they began: of two presses the later one may reach the server first."""

from __future__ import annotations

from ...hypernetworks.base.errors import WorkbenchError

BEFORE_IT_BEGAN = "Interrupted before it began."
_KEPT = 64
_tasks: dict[str, None] = {}


class GaveUpError(WorkbenchError):
    """A job was taken back before it began."""


def note(task: str) -> bool:
    """Let the job of a task, which has not begun, never begin; return False where there is no task, or it is over."""
    from modules import progress  # noqa: PLC0415 - runs are known where there is no host too

    if not task or task in progress.finished_tasks:
        return False
    _tasks[task] = None
    for old in list(_tasks)[:-_KEPT]:  # of jobs that never came
        del _tasks[old]
    return True


def holds(task: str | None) -> bool:
    """Tell whether the job of a task is not to begin."""
    return task in _tasks


def end(task: str) -> None:
    """Tell the page that follows a task that it is over, without its having begun."""
    from modules import progress  # noqa: PLC0415

    progress.pending_tasks.pop(task, None)
    progress.finish_task(task)
