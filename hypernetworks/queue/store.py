"""The queue: jobs are added, put into another order, held, taken back and tried again, by any process."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from ..base.errors import QueueError, SettingsError
from .database import Database
from .entry import (
    CANCEL,
    CANCELLED,
    COLUMNS,
    DONE,
    FAILED,
    MOST,
    MOST_CHARACTERS,
    OPEN,
    PAUSE,
    PAUSED,
    RUNNING,
    WAITING,
    Entry,
    missing,
    read_entry,
    unreadable,
)
from .kind import QueuedJob

_MOST_OPEN = 1000
_KEPT = 200
_MOST_TITLE = 400
SELECT = f"SELECT {', '.join(COLUMNS)} FROM job"
OPEN_ROWS = f"state IN ({', '.join(repr(state) for state in OPEN)})"
#: The ways to move a job in the order.
MOVES = ("up", "down", "first", "last")
_IS_HELD = "held"


class Queue:
    """The jobs of one file."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)

    @classmethod
    def of(cls, data_folder: Path) -> Queue:
        """Return the queue of a host's data folder."""
        return cls(data_folder / "hypernetwork-queue" / "queue.sqlite")

    def entries(self) -> list[Entry]:
        """Return all jobs: the open ones in their order, then those that are over, the last one first."""
        with self.database.reading() as connection:
            rows = connection.execute(f"{SELECT} ORDER BY place, id").fetchall() if connection else []
        found = [entry_of(row) for row in rows]
        over = sorted((one for one in found if not one.is_open), key=lambda one: one.ended or one.added, reverse=True)
        return [*(one for one in found if one.is_open), *over]

    def get(self, id_: int) -> Entry:
        """Return a job; raises SettingsError where there is none."""
        with self.database.reading() as connection:
            if connection is None:
                raise missing(id_)
            return _get(connection, id_)

    def add(self, job: QueuedJob, after: int | None = None) -> Entry:
        """Add a job at the end, or behind the one that has to be done before it, and return it.

        Raises:
            SettingsError: that one is not in the queue.
            QueueError: the queue is full, or cannot be written.
        """
        settings = json.dumps(job.to_mapping(), ensure_ascii=False)
        if len(settings) > MOST_CHARACTERS:
            raise QueueError("the settings of the job are too long for the queue")
        with self.database.writing() as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM job WHERE {OPEN_ROWS}").fetchone()
            if count >= _MOST_OPEN:
                raise QueueError(f"the queue is full ({count} jobs); take some back first")
            _drop_old(connection)
            columns = "kind, title, settings, state, place, units, added"
            values = (job.kind, job.title[:_MOST_TITLE], settings, WAITING, _end(connection), job.units, time.time())
            added = connection.execute(f"INSERT INTO job ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            id_ = int(added.lastrowid or 0)
            if after is not None:
                _put_after(connection, id_, after)
            return _get(connection, id_)

    def cancel(self, id_: int) -> None:
        """Take a job back; one at work ends after its step. Raises SettingsError."""
        self._want(id_, CANCEL, CANCELLED)

    def pause(self, id_: int) -> None:
        """Hold a job until it is to go on; one at work saves its state and makes room. Raises SettingsError."""
        self._want(id_, PAUSE, PAUSED)

    def go_on(self, id_: int) -> None:
        """Let a job that is held wait for its turn again; raises SettingsError."""
        with self.database.writing() as connection:
            entry = _get(connection, id_)
            if entry.state == PAUSED:
                _set(connection, id_, state=WAITING)
            elif entry.state == RUNNING and entry.wish == PAUSE:
                _set(connection, id_, wish=None)
            else:
                raise SettingsError("job", f"job {id_} is not paused")

    def retry(self, id_: int) -> None:
        """Let a job that failed or was taken back wait again, at the end; it goes on from what it saved.

        Raises:
            SettingsError: it is none of these.
        """
        with self.database.writing() as connection:
            if _get(connection, id_).state not in (FAILED, CANCELLED):
                raise SettingsError("job", f"job {id_} has neither failed nor been cancelled")
            place = _end(connection)
            _set(connection, id_, state=WAITING, place=place, crashes=0, outcome="", wish=None, ended=None)

    def remove(self, id_: int) -> None:
        """Delete a job that is not at work; those that wait for it wait no longer. Raises SettingsError."""
        with self.database.writing() as connection:
            (state,) = _row(connection, id_, "SELECT state FROM job")  # also of one that is damaged
            if state == RUNNING:
                raise SettingsError("job", f"job {id_} is at work; cancel it first")
            connection.execute("UPDATE job SET after = NULL WHERE after = ?", (id_,))
            connection.execute("DELETE FROM job WHERE id = ?", (id_,))

    def move(self, id_: int, where: str) -> None:
        """Move a job in the order of those that are open: to one of `MOVES`; raises SettingsError."""
        if where not in MOVES:
            raise SettingsError("where", f"must be one of {', '.join(MOVES)}, not {where[:40]!r}")
        with self.database.writing() as connection:
            if not _get(connection, id_).is_open:
                raise SettingsError("job", f"job {id_} is over; it has no place in the order")
            order = _order(connection)
            at = order.index(id_)
            order.remove(id_)
            to = {"up": max(0, at - 1), "down": at + 1, "first": 0, "last": len(order)}[where]
            order.insert(to, id_)
            _number(connection, order)

    def put_after(self, id_: int, other: int | None) -> None:
        """Let a job begin only when another one is done, behind which it goes; None lets it begin in its turn.

        Raises:
            SettingsError: one of them is not in the queue, this one is at work, or the other one waits for it.
        """
        with self.database.writing() as connection:
            entry = _get(connection, id_)
            if not entry.is_open:
                raise SettingsError("job", f"job {id_} is over")
            if other is None:
                _set(connection, id_, after=None)
            elif entry.state == RUNNING:
                raise SettingsError("job", f"job {id_} is at work; pause or cancel it first")
            else:
                _put_after(connection, id_, other)

    @property
    def is_held(self) -> bool:
        """Whether no job is to begin."""
        with self.database.reading() as connection:
            return connection is not None and is_held(connection)

    def hold(self, is_held: bool) -> None:
        """Let no job begin, or let them begin again; one at work is not touched."""
        self.set_option(_IS_HELD, "yes" if is_held else "no")

    def option(self, name: str) -> str:
        """Return a setting of the queue itself; an empty text where nobody has set it."""
        with self.database.reading() as connection:
            return _option(connection, name) if connection else ""

    def set_option(self, name: str, value: str) -> None:
        """Set a setting of the queue itself."""
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO option VALUES (?, ?)", (name, value))

    def _want(self, id_: int, wish: str, state: str) -> None:
        with self.database.writing() as connection:
            entry = _get(connection, id_)
            if not entry.is_open:
                raise SettingsError("job", f"job {id_} is over already")
            if entry.state == RUNNING:
                _set(connection, id_, wish=wish)
            else:
                _set(connection, id_, state=state, ended=time.time() if state == CANCELLED else None)


def entry_of(row: sqlite3.Row) -> Entry:
    """Return the entry of a row, or what stands in the list for one that cannot be read."""
    try:
        return read_entry(dict(row))
    except QueueError as error:
        return unreadable(dict(row), error)


def is_held(connection: sqlite3.Connection) -> bool:
    """Tell whether no job is to begin."""
    return _option(connection, _IS_HELD) == "yes"


def _option(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM option WHERE name = ?", (name,)).fetchone()
    return str(row["value"])[:_MOST_TITLE] if row else ""


def _get(connection: sqlite3.Connection, id_: int) -> Entry:
    return read_entry(dict(_row(connection, id_, SELECT)))


def _row(connection: sqlite3.Connection, id_: int, select: str) -> sqlite3.Row:
    # There are no other numbers, and SQLite does not take them all.
    row: sqlite3.Row | None = None
    if 0 < id_ <= MOST:
        row = connection.execute(f"{select} WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise missing(id_)
    return row


def _set(connection: sqlite3.Connection, id_: int, **values: object) -> None:
    names = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE job SET {names} WHERE id = ?", (*values.values(), id_))


def _order(connection: sqlite3.Connection) -> list[int]:
    rows = connection.execute(f"SELECT id FROM job WHERE {OPEN_ROWS} ORDER BY place, id")
    return [row["id"] for row in rows]


def _number(connection: sqlite3.Connection, order: Iterable[int]) -> None:
    connection.executemany("UPDATE job SET place = ? WHERE id = ?", list(enumerate(order)))


def _end(connection: sqlite3.Connection) -> int:
    return int(connection.execute(f"SELECT coalesce(max(place), -1) + 1 FROM job WHERE {OPEN_ROWS}").fetchone()[0])


def _put_after(connection: sqlite3.Connection, id_: int, other: int) -> None:
    if other == id_:
        raise SettingsError("after", f"job {id_} cannot wait for itself")
    seen: int | None = other
    before: set[int] = set()
    while seen is not None and seen not in before:  # a file made by hand may have a circle of others
        if seen == id_:
            raise SettingsError("after", f"job {other} waits for job {id_} itself")
        before.add(seen)
        seen = _get(connection, seen).after
    order = _order(connection)
    order.remove(id_)
    # Behind one that is over there is no place; it begins in its turn.
    order.insert(order.index(other) + 1 if other in order else len(order), id_)
    _set(connection, id_, after=other)
    _number(connection, order)


def _drop_old(connection: sqlite3.Connection) -> None:
    """Forget the jobs that were over long ago; those that others wait for stay."""
    connection.execute(
        f"DELETE FROM job WHERE NOT {OPEN_ROWS} AND id NOT IN (SELECT after FROM job WHERE after IS NOT NULL) "
        f"AND id NOT IN (SELECT id FROM job WHERE state IN ('{DONE}', '{FAILED}', '{CANCELLED}') "
        f"ORDER BY ended DESC LIMIT {_KEPT})"
    )
