"""How long jobs will take, by those that are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .entry import DONE, INTERRUPTED, RUNNING, WAITING, Entry
from .kind import KINDS
from .waits import hindered

_LAST = 5
#: What comes first is at work first.
_ORDER = (RUNNING, INTERRUPTED, WAITING)


@dataclass(frozen=True)
class Estimate:
    """Seconds of a job that is open; None where that cannot be told.

    Attributes:
        begins_s: until it begins; 0 for one at work.
        takes_s: from then to its end.
    """

    begins_s: float | None
    takes_s: float | None


def estimates(entries: Sequence[Entry]) -> dict[int, Estimate]:
    """Return the estimate of each job that works or waits for its turn, by number.

    A job that waits is taken to need as long for each step as the last ones of its kind did. One that waits in vain for
    another has none, and the others do not wait for it.
    """
    speeds = {kind: _seconds_per_unit(entries, kind) for kind in {entry.kind for entry in entries}}
    found: dict[int, Estimate] = {}
    begins: float | None = 0.0
    for entry in _in_turn(entries):
        takes = _left(entry, speeds[entry.kind])
        found[entry.id] = Estimate(begins, takes)
        begins = None if begins is None or takes is None else begins + takes
    return found


def _in_turn(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the jobs that will be at work, as they will be: one that waits for another is passed over until then."""
    in_vain = hindered(entries)
    coming = [one for one in entries if one.state in _ORDER and (one.state == RUNNING or one.id not in in_vain)]
    coming.sort(key=lambda one: (_ORDER.index(one.state), one.place, one.id))
    left = {one.id for one in coming}
    while coming:
        entry = next((one for one in coming if one.state == RUNNING or one.after not in left), None)
        if entry is None:  # a file made by hand may have a circle
            return
        coming.remove(entry)
        left.remove(entry.id)
        yield entry


def _left(entry: Entry, speed: float | None) -> float | None:
    if entry.state == RUNNING and entry.left_s is not None:
        return entry.left_s
    if speed is None or entry.units is None:
        return None
    if _has_parts(entry.kind):
        return max(0.0, speed * entry.units - entry.spent_s)
    left = entry.units - entry.done if entry.total == entry.units else entry.units
    return speed * max(0, left)


def _seconds_per_unit(entries: Sequence[Entry], kind: str) -> float | None:
    """Return the mean over the last jobs of a kind, or that of one at work; None where none of them tells."""
    done = [one for one in entries if one.kind == kind and one.state == DONE and one.units and one.spent_s]
    last = sorted(done, key=lambda one: one.ended or 0.0)[-_LAST:]
    units = sum(one.units or 0 for one in last)
    if units:
        return sum(one.spent_s for one in last) / units
    for one in [] if _has_parts(kind) else entries:
        if one.kind == kind and one.state == RUNNING and one.left_s is not None and one.total > one.done:
            return one.left_s / (one.total - one.done)
    return None


def _has_parts(kind: str) -> bool:
    return kind in KINDS and KINDS[kind].has_parts
