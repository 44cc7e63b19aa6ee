"""A job in the queue: its settings, its place and what has come of it so far, as read from the file and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import QueueError, SettingsError
from ..base.forms import Maybe, Number, Record, Text, UnfitError, Whole
from ..base.outside import UnfitTextError, parse_json
from .kind import QueuedJob, job_of

WAITING, RUNNING, PAUSED, DONE, FAILED = "waiting", "running", "paused", "done", "failed"
CANCELLED, INTERRUPTED = "cancelled", "interrupted"
STATES = (WAITING, RUNNING, PAUSED, INTERRUPTED, DONE, FAILED, CANCELLED)
#: The states of jobs that still have something to do.
OPEN = (WAITING, RUNNING, PAUSED, INTERRUPTED)
#: What somebody may want of a job at work.
PAUSE, CANCEL = "pause", "cancel"

MOST_CHARACTERS = 1_000_000
#: The largest whole number of a row.
MOST = 1 << 53
_TIME = Number(0, 1e12)
_ROW = Record(
    {
        "id": Whole(1, MOST),
        "kind": Text(40, r"[a-z][a-z0-9 -]*"),
        "title": Text(400),
        "settings": Text(MOST_CHARACTERS),
        "state": Text(20, "|".join(STATES)),
        "place": Whole(0, MOST),
        "after": Maybe(Whole(1, MOST)),
        "units": Maybe(Whole(0, MOST)),
        "done": Whole(0, MOST),
        "total": Whole(0, MOST),
        "text": Text(2000),
        "left_s": Maybe(_TIME),
        "outcome": Text(20_000),
        "memo": Text(MOST_CHARACTERS),
        "attempts": Whole(0, MOST),
        "crashes": Whole(0, MOST),
        "owner": Maybe(Text(400)),
        "beat": Maybe(_TIME),
        "wish": Maybe(Text(10, f"{PAUSE}|{CANCEL}")),
        "added": _TIME,
        "started": Maybe(_TIME),
        "ended": Maybe(_TIME),
        "spent_s": _TIME,
    }
)
COLUMNS = tuple(_ROW.fields)


@dataclass(frozen=True)
class Entry:
    """A job in the queue.

    Attributes:
        id: its number, never given twice.
        title: what the list calls it.
        tables: its settings.
        place: its place in the order; smaller ones come first.
        after: the job that has to be done before it; None where there is none.
        units: its length, see `QueuedJob.units`.
        done, total: how far it is, in steps or pictures.
        text: progress in one line.
        left_s: seconds that it will still take; None where that is unknown.
        outcome: what came of it, or why it failed, in sentences.
        memo: what its earlier goes left for the next one.
        attempts: how often it was begun.
        crashes: how often its process died meanwhile.
        owner: the process that works on it.
        beat: when that was heard of, in seconds since the epoch; so are `added`, `started` and `ended`.
        wish: what somebody wants of it while it is at work: `pause` or `cancel`.
        spent_s: seconds of work so far.
    """

    id: int
    kind: str
    title: str
    state: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0
    after: int | None = None
    units: int | None = None
    done: int = 0
    total: int = 0
    text: str = ""
    left_s: float | None = None
    outcome: str = ""
    memo: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    crashes: int = 0
    owner: str | None = None
    beat: float | None = None
    wish: str | None = None
    added: float = 0.0
    started: float | None = None
    ended: float | None = None
    spent_s: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it still has something to do."""
        return self.state in OPEN

    def job(self) -> QueuedJob:
        """Return the job; raises SettingsError where a setting of it is wrong."""
        return job_of(self.kind, self.tables)


def read_entry(row: Mapping[str, Any]) -> Entry:
    """Return the entry of a row of the file; raises QueueError where a value does not have its form."""
    try:
        values = _ROW.take(dict(row))
        values["tables"] = _table(values.pop("settings"), "settings")
        values["memo"] = _table(values["memo"], "memo")
    except (UnfitError, UnfitTextError) as error:
        raise QueueError(f"a job of the queue cannot be read ({error})") from error
    return Entry(**values)


def unreadable(row: Mapping[str, Any], error: QueueError) -> Entry:
    """Return what stands in the list for a row that `read_entry` refuses."""
    id_, place = (row[name] if type(row[name]) is int and row[name] > 0 else 0 for name in ("id", "place"))
    return Entry(id_, "unknown", "?", FAILED, place=place, outcome=f"{error}.")


def _table(text: str, place: str) -> Mapping[str, Any]:
    found = parse_json(text)
    if not isinstance(found, dict):
        raise UnfitError(f"{place} must be a table")
    return found


def missing(id_: int) -> SettingsError:
    """Return the error for a job that is not in the queue."""
    return SettingsError("job", f"there is no job {id_} in the queue")
