"""Training runs that nobody waits for: started in a thread, in the host's queue, interrupted from elsewhere."""

from __future__ import annotations

import logging
import threading

from modules import call_queue, shared

from ...hypernetworks.base.errors import WorkbenchError
from ...hypernetworks.train.settings.job import Job
from .registry import RUNNING, Run, runs
from .training import run_job

_log = logging.getLogger(__name__)
_PATIENCE_S = 120.0


def start(job: Job, resume: bool = False) -> Run:
    """Start a run and gives it at once; it begins when the host's queue comes to it.

    Raises:
        RunBusyError: another run has not ended yet.
    """
    run = runs.claim(job.output.name)
    run.job = job
    threading.Thread(target=_go, args=(run, job, resume), name=f"train-{run.id}", daemon=True).start()
    return run


def interrupt() -> Run | None:
    """Ask the active run to end and to save; gives it, or None where there is none."""
    run = runs.active
    if run is not None:
        run.is_cancelled = True
        if run.state == RUNNING:
            shared.state.interrupt()
    return run


def end() -> None:
    """Interrupts a run and waits until it has saved; one that waits for its turn never gets it."""
    run = interrupt()
    if run is not None and run.state == RUNNING and not run.over.wait(_PATIENCE_S):
        _log.warning("The training of %s did not end within %.0f s.", run.name, _PATIENCE_S)


def _go(run: Run, job: Job, resume: bool) -> None:
    try:
        with call_queue.queue_lock:
            if run.is_cancelled:
                return
            shared.state.begin(job=f"train-{run.id}")
            try:
                run_job(job, resume=resume)
            finally:
                shared.state.end()
    except WorkbenchError as error:
        run.problem = error
        _log.warning("The training of %s ended: %s", run.name, error)
    finally:
        runs.release(run)
