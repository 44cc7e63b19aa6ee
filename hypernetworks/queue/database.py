"""The SQLite file of the queue: opened, checked and brought to the present form before anything uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..base.atomic import not_regular
from ..base.errors import QueueError

#: "hnwq": tells the file from those of other programs.
_APPLICATION = 0x686E7771
_MOST_BYTES = 1 << 28
_PATIENCE_S = 30.0
_HEAD = b"SQLite format 3\0"
#: What leads from each version of the form to the next; an empty file has version 0.
_MIGRATIONS = (
    """
    CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, title TEXT NOT NULL, settings TEXT NOT NULL,
        state TEXT NOT NULL, place INTEGER NOT NULL, after INTEGER, units INTEGER,
        done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL DEFAULT '', left_s REAL,
        outcome TEXT NOT NULL DEFAULT '', memo TEXT NOT NULL DEFAULT '{}',
        attempts INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0, owner TEXT, beat REAL, wish TEXT,
        added REAL NOT NULL, started REAL, ended REAL, spent_s REAL NOT NULL DEFAULT 0
    );
    CREATE TABLE option (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
)
_VERSION = len(_MIGRATIONS)
_OBJECTS = {"job", "option", "sqlite_sequence", "sqlite_autoindex_option_1"}


class Database:
    """The file; each use opens it anew, so that any thread and any process may.

    Args:
        path: made with its folder when something is written first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Yield a connection to read with; None where there is no file yet. Raises QueueError."""
        if not self.path.exists():
            yield None
            return
        with self._told(), closing(self._open()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside of one transaction, which an exception takes back. Raises QueueError."""
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()

    def _open(self) -> sqlite3.Connection:
        self._check_file()
        connection = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA trusted_schema = OFF")
            self._bring_up(connection)
            self._check_form(connection)
            connection.execute("PRAGMA journal_mode = WAL")  # only now: that changes the file, whose ever it is
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_file(self) -> None:
        """Raise QueueError for what is no database, or too large to be this one."""
        if (what := not_regular(self.path)) is not None:
            raise QueueError(f"{self.path} is {what}, where the queue has its file")
        if not self.path.exists() or not (size := self.path.stat().st_size):
            return
        if size > _MOST_BYTES:
            raise QueueError(f"{self.path} is too large for a queue ({size / 1e6:.0f} MB); move it away to begin anew")
        with self.path.open("rb") as file:
            if file.read(len(_HEAD)) != _HEAD:
                raise QueueError(f"{self.path} is not the file of a queue; move it away to begin anew")

    def _bring_up(self, connection: sqlite3.Connection) -> None:
        """Give a new file its form, and an older one the present form, in one transaction."""
        version = _number(connection, "user_version")
        if version == _VERSION:
            return
        if version > _VERSION:
            reason = f"has the form of version {version}, not of {_VERSION}; update the extension"
            raise QueueError(f"{self.path} {reason}, or move it away to begin anew")
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _number(connection, "user_version")  # another process may have been faster
            if not version:
                self._check_names(connection, set())
            for statement in ";".join(_MIGRATIONS[version:]).split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    def _check_form(self, connection: sqlite3.Connection) -> None:
        """Raise QueueError for a database of another program, and for one with more in it than the queue has."""
        self._check_names(connection, _OBJECTS if _number(connection, "application_id") == _APPLICATION else set())

    def _check_names(self, connection: sqlite3.Connection, allowed: set[str]) -> None:
        if not {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")} <= allowed:
            raise QueueError(f"{self.path} is a database of another program; move it away to begin anew")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise QueueError(f"the queue in {self.path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise QueueError(f"{self.path} is damaged ({error}); move it away to begin anew") from error
        except OSError as error:
            raise QueueError(f"the queue in {self.path} cannot be used: {error.strerror or error}") from error


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
