"""Merges in their turn."""

from __future__ import annotations

from ....hypernetworks.network.file_forms import FORMS
from ....hypernetworks.queue.kinds.merge import MergeJob
from ...model import host
from ...tabs.inspect.work import wrote
from ...tabs.merge.work import merge_files
from ..turn import Turn, work_of


@work_of("merge")
def merge(job: MergeJob, turn: Turn) -> str:
    """Merge networks into one file."""
    path = host.network_dir() / f"{job.result.name}{FORMS[job.result.form].suffix}"
    with turn.making(path) as is_to_be_made:
        return merge_files(job.values).sentence if is_to_be_made else wrote(path)
