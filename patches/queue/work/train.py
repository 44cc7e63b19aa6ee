"""Training jobs in their turn. One that was begun before goes on from the state that it saved."""

from __future__ import annotations

from pathlib import Path

from modules import shared

from ....hypernetworks.base.errors import RunEndedError
from ....hypernetworks.files.create import create_file
from ....hypernetworks.jobs.train_entry import worded
from ....hypernetworks.network.settings import CreateSettings
from ....hypernetworks.queue.kinds.train import ContinueJob, TrainJob
from ....hypernetworks.train.settings.job import Job
from ...model import host
from ...tabs.train.buttons import summary
from ..turn import Turn, work_of

_CREATED = "created"
_HAD_ENDED = "All of its steps are done."


@work_of("train")
def train(job: TrainJob, turn: Turn) -> str:
    """Make the network where there is none yet, and train it."""
    run = job.on(str(_created(job.create, turn))) if job.create else job.job
    return _trained(run, turn, resume=turn.entry.attempts > 1 and turn.has_state(run))


@work_of("continue")
def go_on(job: ContinueJob, turn: Turn) -> str:
    """Go on with a run from its saved state."""
    return _trained(job.job, turn, resume=True)


def _trained(job: Job, turn: Turn, resume: bool) -> str:
    try:
        return worded(summary(turn.train(job, resume)))
    except RunEndedError:
        if turn.entry.attempts > 1:  # the process died when the run had ended
            return _HAD_ENDED
        raise


def _created(settings: CreateSettings, turn: Turn) -> Path:
    """Return the file of the new network, which an earlier turn may have made."""
    path = host.network_dir() / f"{settings.name}.pt"
    if turn.memo.get(_CREATED) == str(path) and path.is_file():
        return path
    with turn.making(path) as is_to_be_made:
        if is_to_be_made:
            create_file(settings, () if settings.widths else host.model_widths(), host.network_dir())
    turn.remember(**{_CREATED: str(path)})
    shared.reload_hypernetworks()
    return path
