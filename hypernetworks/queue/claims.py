"""The side of the worker: it takes the next job, tells how far it is, and gives it back; each in one transaction."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..base.errors import QueueError, WorkbenchError
from .entry import CANCEL, CANCELLED, DONE, FAILED, INTERRUPTED, MOST_CHARACTERS, PAUSED, RUNNING, WAITING, Entry
from .owner import Owner
from .store import OPEN_ROWS, SELECT, Queue, entry_of, is_held

#: A job whose process died so often is not begun again by itself.
MOST_CRASHES = 5
_MOST_TEXT = 2000
_MOST_OUTCOME = 20_000


#: The jobs that this process works on: it may live on when the work at one of them has died.
_here: set[tuple[Path, int]] = set()


class LostError(WorkbenchError):
    """The job is not this process's any more."""


@dataclass(frozen=True)
class Progress:
    """How far a job is; see `Entry`."""

    done: int = 0
    total: int = 0
    text: str = ""
    left_s: float | None = None


def claim(queue: Queue, owner: Owner) -> Entry | None:
    """Take the next job for `owner` and return it; None where none may begin, as while another one is at work.

    A job whose process has died comes first. One that waits for another is passed over until that is done.
    """
    with queue.database.reading() as connection:
        if connection is None or connection.execute(f"SELECT 1 FROM job WHERE {OPEN_ROWS}").fetchone() is None:
            return None
    with queue.database.writing() as connection:
        if _is_any_at_work(queue, connection, time.time()) or is_held(connection):
            return None
        for row in connection.execute(
            f"{SELECT} AS one WHERE state IN (?, ?) AND (after IS NULL OR NOT EXISTS "
            "(SELECT 1 FROM job AS other WHERE other.id = one.after AND other.state <> ?)) "
            "ORDER BY state = ? DESC, place, id",
            (WAITING, INTERRUPTED, DONE, INTERRUPTED),
        ).fetchall():
            entry = entry_of(row)
            if entry.state not in (WAITING, INTERRUPTED):
                _end(connection, row["id"], FAILED, entry.outcome)
                continue
            now = time.time()
            connection.execute(
                "UPDATE job SET state = ?, owner = ?, beat = ?, started = coalesce(started, ?), ended = NULL, "
                "attempts = attempts + 1, wish = NULL, text = '', left_s = NULL, outcome = '' WHERE id = ?",
                (RUNNING, str(owner), now, now, entry.id),
            )
            started = now if entry.started is None else entry.started
            _here.add((queue.database.path, entry.id))
            return replace(entry, state=RUNNING, owner=str(owner), started=started, attempts=entry.attempts + 1)
    return None


def let_go(queue: Queue, entry: Entry) -> None:
    """Note that this process works no longer on a job that it had claimed, whether or not it could be released."""
    _here.discard((queue.database.path, entry.id))


def beat(queue: Queue, entry: Entry, progress: Progress) -> str | None:
    """Note that the job is worked on and how far it is; return what somebody wants of it.

    Raises:
        LostError: somebody else has it, or it was deleted.
    """
    with queue.database.writing() as connection:
        changed = connection.execute(
            "UPDATE job SET beat = ?, done = ?, total = ?, text = ?, left_s = ? WHERE id = ? AND owner = ?",
            (
                time.time(),
                max(0, progress.done),
                max(0, progress.total),
                progress.text[:_MOST_TEXT],
                progress.left_s,
                entry.id,
                entry.owner,
            ),
        )
        if not changed.rowcount:
            raise LostError(f"job {entry.id} was taken over")
        found = connection.execute("SELECT wish FROM job WHERE id = ?", (entry.id,)).fetchone()["wish"]
    return str(found) if found is not None else None


def remember(queue: Queue, entry: Entry, memo: Mapping[str, Any]) -> None:
    """Write what the next go of the job is to know; raises QueueError where that is too much."""
    text = json.dumps(memo, ensure_ascii=False)
    if len(text) > MOST_CHARACTERS:
        raise QueueError("what the job is to remember is too long for the queue")
    with queue.database.writing() as connection:
        connection.execute("UPDATE job SET memo = ? WHERE id = ? AND owner = ?", (text, entry.id, entry.owner))


def release(queue: Queue, entry: Entry, state: str, outcome: str, spent_s: float) -> None:
    """Give the job back in the state in which it is now."""
    with queue.database.writing() as connection:
        held = connection.execute(
            "UPDATE job SET spent_s = spent_s + ? WHERE id = ? AND owner = ?", (spent_s, entry.id, entry.owner)
        )
        if held.rowcount:
            _end(connection, entry.id, state, outcome)


def _is_any_at_work(queue: Queue, connection: sqlite3.Connection, now: float) -> bool:
    """Mark the jobs whose process has died; tell whether any other is at work."""
    is_any = False
    rows = connection.execute("SELECT id, owner, beat, wish, crashes FROM job WHERE state = ?", (RUNNING,)).fetchall()
    for row in rows:
        owner = Owner.parse(row["owner"] if isinstance(row["owner"], str) else None)
        heard = row["beat"] if isinstance(row["beat"], float) else 0.0
        is_lost = owner == Owner.here() and (queue.database.path, row["id"]) not in _here
        if owner is not None and not is_lost and owner.is_alive(now - heard):
            is_any = True
            continue
        crashes = (row["crashes"] if isinstance(row["crashes"], int) else 0) + 1
        connection.execute("UPDATE job SET crashes = ? WHERE id = ?", (crashes, row["id"]))
        if row["wish"] is not None:
            _end(connection, row["id"], CANCELLED if row["wish"] == CANCEL else PAUSED, "")
        elif crashes >= MOST_CRASHES:
            _end(connection, row["id"], FAILED, f"Its process died {crashes} times. Retry tries it once more.")
        else:
            _end(connection, row["id"], INTERRUPTED, "")
    return is_any


def _end(connection: sqlite3.Connection, id_: int, state: str, outcome: str) -> None:
    ended = time.time() if state in (DONE, FAILED, CANCELLED) else None
    connection.execute(
        "UPDATE job SET state = ?, outcome = ?, ended = ?, owner = NULL, beat = NULL, wish = NULL, left_s = NULL "
        "WHERE id = ?",
        (state, outcome[:_MOST_OUTCOME], ended, id_),
    )
