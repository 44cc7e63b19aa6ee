"""Studies in their turn. One that was begun before goes on with its next trial."""

from __future__ import annotations

from pathlib import Path

from ....hypernetworks.jobs.train_entry import worded
from ....hypernetworks.queue.kinds.tune import TuneJob
from ...runs.tuning import tune_job
from ..turn import Turn, work_of


@work_of("tune")
def tune(job: TuneJob, turn: Turn) -> str:
    """Do the trials of a study."""
    near = Path(job.near) if job.near else None
    result = turn.carried_out(
        job.job, lambda: tune_job(job.tables, job.tune, near=near), lambda study: not study.is_interrupted
    )
    return " ".join(map(worded, result.lines()))
