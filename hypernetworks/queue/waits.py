"""Jobs that wait in vain: the one that has to be done before them does not come to its end by itself."""

from __future__ import annotations

from collections.abc import Sequence

from .entry import CANCELLED, FAILED, PAUSED, Entry

_ENDS = {CANCELLED: "was cancelled", FAILED: "has failed", PAUSED: "is paused"}


def hindered(entries: Sequence[Entry]) -> dict[int, Entry]:
    """Return the job that each open job waits for in vain, by the number of the one that waits.

    It may be further up: a job waits in vain too where the one before it does.
    """
    by_id = {entry.id: entry for entry in entries}
    found = {}
    for entry in entries:
        seen = {entry.id}  # a file made by hand may have a circle
        other = by_id.get(entry.after or 0)
        while other is not None and other.is_open and other.state != PAUSED and other.id not in seen:
            seen.add(other.id)
            other = by_id.get(other.after or 0)
        if entry.is_open and other is not None and other.state in _ENDS:
            found[entry.id] = other
    return found


def sentence(other: Entry) -> str:
    """Return why a job that waits for `other` in vain does not begin."""
    return f"It cannot begin: job {other.id}, which has to be done before it, {_ENDS[other.state]}."
