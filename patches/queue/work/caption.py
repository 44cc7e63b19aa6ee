"""Captioning in its turn."""

from __future__ import annotations

from ....hypernetworks.data.survey.caption_journal import CaptionJournal
from ....hypernetworks.queue.kinds.caption import CaptionJob
from ...runs.side_jobs import reporting_to
from ...tabs.dataset import work
from ..place import queue
from ..turn import Turn, work_of


@work_of("caption")
def caption(job: CaptionJob, turn: Turn) -> str:
    """Caption pictures with a tagger of the host; after a pause or a kill, those that are left."""
    values = job.caption.to_mapping()
    tagger = values.pop("tagger")
    path = queue().database.path.with_name(f"captions-{turn.entry.id}.jsonl")
    journal = CaptionJournal(path, is_new=turn.entry.attempts == 1)
    with turn.in_turn(), reporting_to(turn):
        seen = work.look({"data": job.data.to_mapping(), "name": ""})
        _, sentence = work.caption_all(seen, tagger, values, journal)
    turn.check()
    journal.delete()
    return sentence
