"""A study in a file of its own, for one machine: SQLite, as Python brings it."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .trials import GRACE_S, OVER, RUNNING, TAKEN_UP, WAITING, StudyError, Trial, is_gone, me

_log = logging.getLogger(__name__)
_VERSION = 1
_PATIENCE_S = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS study (key TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, point TEXT NOT NULL, results TEXT NOT NULL, facts TEXT NOT NULL,
    worker TEXT NOT NULL, beat REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS reports (
    number INTEGER NOT NULL, part INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (number, part)
);
"""


class LocalStore:
    """The study in `path`, which is made where it does not exist.

    Raises:
        StudyError: the file is none of a study, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._me = me()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._changing() as base:
            version = base.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise StudyError(f"{path.name} is a study of version {version}, not of {_VERSION}")
            for statement in _SCHEMA.split(";"):
                base.execute(statement)
            base.execute(f"PRAGMA user_version = {_VERSION}")

    def define(self, text: str) -> str:
        """Keep what the study is made of, unless it is kept already or `text` is empty; return what is kept."""
        with self._changing() as base:
            if text:
                base.execute("INSERT OR IGNORE INTO study VALUES ('definition', ?)", (text,))
            found = base.execute("SELECT text FROM study WHERE key = 'definition'").fetchone()
        return str(found[0]) if found else ""

    def trials(self) -> list[Trial]:
        """Return all trials that were begun, by number."""
        with self._changing() as base:
            rows = base.execute("SELECT number, state, point, results, facts FROM trials ORDER BY number").fetchall()
            reports: dict[int, list[tuple[int, float]]] = {}
            for number, part, value in base.execute("SELECT number, part, value FROM reports ORDER BY part"):
                reports.setdefault(number, []).append((part, value))
        return [
            Trial(
                number=number,
                state=state,
                point=json.loads(point),
                values=tuple(json.loads(values)),
                reports=tuple(reports.get(number, ())),
                facts=json.loads(facts),
            )
            for number, state, point, values, facts in rows
        ]

    def claim(self, number: int) -> Trial | None:
        """Take a trial that nobody has, or that a dead worker had; None where it is over or another's."""
        now = time.time()
        with self._changing() as base:
            found = base.execute("SELECT state, worker, beat FROM trials WHERE number = ?", (number,)).fetchone()
            if found is None:
                row = (number, RUNNING, "{}", "[]", "{}", self._me, now)
                base.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            else:
                state, worker, beat = found
                is_free = state == WAITING or is_gone(worker) or now - beat > GRACE_S
                if state in OVER or not is_free:
                    return None
                change = "UPDATE trials SET state = ?, worker = ?, beat = ? WHERE number = ?"
                base.execute(change, (RUNNING, self._me, now, number))
        return next(trial for trial in self.trials() if trial.number == number)

    def set_point(self, number: int, point: Mapping[str, Any]) -> None:
        """Keep the values that this worker's trial tries."""
        self._change_mine("point = ?", number, json.dumps(dict(point)))

    def report(self, number: int, part: int, value: float) -> None:
        """Keep what was measured on the way."""
        with self._changing() as base:
            base.execute(
                "INSERT OR REPLACE INTO reports SELECT number, ?, ? FROM trials WHERE number = ? AND worker = ?",
                (part, value, number, self._me),
            )

    def finish(self, number: int, state: str, values: Sequence[float], facts: Mapping[str, Any]) -> None:
        """End this worker's trial; `WAITING` gives it back, for whoever comes next.

        Where another worker has taken it up meanwhile, nothing is kept.
        """
        kept = (state, json.dumps(list(values)), json.dumps(dict(facts)))
        if not self._change_mine("state = ?, results = ?, facts = ?", number, *kept):
            _log.warning(TAKEN_UP, number + 1)

    def beat(self, number: int, spent: Mapping[str, Any]) -> None:
        """Say that the worker of the trial is alive, and what the trial has taken so far, as facts."""
        self._change_mine("beat = ?, facts = ?", number, time.time(), json.dumps(dict(spent)))

    def _change_mine(self, change: str, number: int, *values: Any) -> bool:
        """Change a trial that is this worker's; return False where it is another's."""
        with self._changing() as base:
            where = "WHERE number = ? AND worker = ? AND state = ?"
            found = base.execute(f"UPDATE trials SET {change} {where}", (*values, number, self._me, RUNNING))
        return bool(found.rowcount)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Yield the file, which nobody else reads or changes meanwhile; after an error nothing is changed."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE_S, isolation_level=None)) as base:
                base.execute("BEGIN IMMEDIATE")
                try:
                    yield base
                except BaseException:
                    base.execute("ROLLBACK")
                    raise
                base.execute("COMMIT")
        except sqlite3.Error as error:
            raise StudyError(f"the study in {self._path} cannot be used: {error}") from error
