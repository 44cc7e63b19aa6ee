"""Captioning in its turn."""

from __future__ import annotations

from ....hypernetworks.queue.kinds.caption import CaptionJob
from ...runs.side_jobs import reporting_to
from ...tabs.dataset import work
from ..turn import Turn, work_of

_DONE = "captioned"


@work_of("caption")
def caption(job: CaptionJob, turn: Turn) -> str:
    """Caption pictures with a tagger of the host; after a pause, those that are left."""
    values = job.caption.to_mapping()
    tagger = values.pop("tagger")
    with turn.in_turn(), reporting_to(turn):
        seen = work.look({"data": job.data.to_mapping(), "name": ""})
        done = set(map(str, turn.memo.get(_DONE, ())))
        _, sentence = work.caption_all(seen, tagger, values, done)
    if turn.is_stopped:
        turn.remember(**{_DONE: sorted(done)})
    turn.check()
    return sentence
