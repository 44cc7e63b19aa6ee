"""Edits of caption files that can be undone: what a file held is recorded before it is changed."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...base.atomic import atomic_write
from ...base.encodings import UnfitTextError, decode, form_of
from ...base.errors import DatasetError
from ...base.forms import ListOf, Maybe, Record, Text
from ...base.outside import read_json, resolved, shown_name

_KEPT = 100
_SUFFIX = ".edit.json"
_MAX_BYTES = 1 << 28
_CONTENT = Maybe(Text(_MAX_BYTES))
_FORM = Record(
    {
        "title": Text(_MAX_BYTES),
        "changes": ListOf(Record({"path": Text(4096, r"[^\0]+"), "before": _CONTENT, "after": _CONTENT}), 1_000_000),
    }
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """A caption file and what it holds before and after an edit; None where there is no file."""

    path: Path
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True)
class Edit:
    """An edit that can be undone: its title, its files, and its record."""

    title: str
    changes: tuple[Change, ...]
    record: Path


def change_of(path: Path, edit: Callable[[str], str], new: str = "") -> Change:
    """Return the change that an edit makes to a caption file, which keeps its encoding and the marks around its text.

    Args:
        edit: takes the text of the file and returns the new one.
        new: the text to edit where there is no file; a line break is put behind it.

    Raises:
        DatasetError: the file cannot be read.
    """
    before = bytes_of(path)
    if before is None:
        text = edit(new)
        return Change(path, None, f"{text}\n".encode("utf-8", "replace") if text else b"")
    mark, codec = form_of(before)
    try:
        text = decode(before)
    except UnfitTextError as error:
        raise DatasetError(f"{shown_name(path)}: the caption cannot be read ({error})") from error
    whole = before[len(mark) :].decode(codec)
    start = len(whole) - len(whole.lstrip("\ufeff"))
    after = whole[:start] + edit(text) + whole[start + len(text) :]
    return Change(path, before, mark + after.encode(codec, "replace"))


class History:
    """Edits of caption files, the newest last, kept in a folder so that they outlive the page and the process."""

    def __init__(self, folder: Path, kept: int = _KEPT) -> None:
        self._folder = folder
        self._kept = kept

    def edits(self, folders: Iterable[Path]) -> list[Edit]:
        """Return the edits of files in these folders or below, the newest first. Unreadable records are left out."""
        places = [folder.resolve() for folder in folders]
        found = []
        for record in sorted(self._folder.glob(f"*{_SUFFIX}"), reverse=True):
            edit = _read(record)
            if edit is not None and any(_is_below(change.path, places) for change in edit.changes):
                found.append(edit)
        return found

    def apply(self, title: str, changes: Sequence[Change], mark: str = "") -> Edit:
        """Write the changes. All of them are recorded first; after a failure the files are as they were.

        Args:
            mark: letters, digits and dashes by which `marked` finds the edit; no other edit has the same.

        Raises:
            DatasetError: a file cannot be written, or holds something else than the change says; names it.
        """
        self._make_folder()
        name = f"{time.time_ns():020d}-{mark or secrets.token_hex(2)}{_SUFFIX}"
        edit = Edit(title, tuple(changes), self._folder / name)
        _check_current(edit.changes, "before")
        with atomic_write(edit.record, DatasetError) as file:
            file.write(json.dumps(_as_table(edit)).encode())
        done: list[Change] = []
        try:
            for change in edit.changes:
                _write(change.path, change.after)
                done.append(change)
        except DatasetError:
            self._put_back(edit, done)
            raise
        self._prune()
        return edit

    def marked(self, mark: str) -> Edit | None:
        """Return the edit with this mark; None where nothing was written for it yet, or it was undone."""
        record = next(self._folder.glob(f"*-{mark}{_SUFFIX}"), None)
        return None if record is None else _read(record)

    def finish(self, edit: Edit) -> None:
        """Write what of an edit is not written yet, since its process was killed; what others changed since stays.

        Raises:
            DatasetError: a file cannot be read or written; names it.
        """
        for change in edit.changes:
            if bytes_of(change.path) == change.before:
                _write(change.path, change.after)

    def undo(self, edit: Edit) -> None:
        """Give the files back what they held before the edit, byte for byte, and forget it.

        After a failure the edit can be undone again: files that have their old content already are left alone.

        Raises:
            DatasetError: a file has been changed since, and nothing is touched; or one cannot be written; names it.
        """
        _check_current(edit.changes, "after")
        for change in edit.changes:
            if bytes_of(change.path) != change.before:
                _write(change.path, change.before)
        edit.record.unlink(missing_ok=True)

    def _put_back(self, edit: Edit, done: Sequence[Change]) -> None:
        try:
            for change in done:
                _write(change.path, change.before)
        except DatasetError as error:
            _log.warning("%s; the edit “%s” is half done and can be taken back.", error, edit.title)
        else:
            edit.record.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatasetError(f"the folder {self._folder} for undo cannot be made: {error.strerror}") from error

    def _prune(self) -> None:
        for record in sorted(self._folder.glob(f"*{_SUFFIX}"))[: -self._kept]:
            record.unlink(missing_ok=True)


def _check_current(changes: Iterable[Change], side: str) -> None:
    """Raise DatasetError for a file that somebody else has changed.

    Args:
        side: "before" or "after", the content that is expected; after a failed undo some files have the other.
    """
    for change in changes:
        expected = (change.before,) if side == "before" else (change.before, change.after)
        if bytes_of(change.path) not in expected:
            raise DatasetError(
                f"{shown_name(change.path)}: has been changed by somebody else meanwhile; nothing was touched"
            )


def bytes_of(path: Path) -> bytes | None:
    """Return what a caption file holds, None where there is none; raises DatasetError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatasetError(f"{shown_name(path)}: the caption cannot be read ({error.strerror})") from error


def _write(path: Path, content: bytes | None) -> None:
    if content is not None:
        # A link stays one: what it leads to is written.
        with atomic_write(resolved(path), DatasetError) as file:
            file.write(content)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(f"{shown_name(path)}: cannot be removed ({error.strerror})") from error


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def _as_table(edit: Edit) -> dict[str, Any]:
    def text(content: bytes | None) -> str | None:
        return None if content is None else base64.b64encode(content).decode()

    changes = [{"path": str(one.path), "before": text(one.before), "after": text(one.after)} for one in edit.changes]
    return {"title": edit.title, "changes": changes}


def _read(record: Path) -> Edit | None:
    def content(text: str | None) -> bytes | None:
        return None if text is None else base64.b64decode(text, validate=True)

    try:
        table = _FORM.take(read_json(record, _MAX_BYTES))
        changes = [Change(Path(one["path"]), content(one["before"]), content(one["after"])) for one in table["changes"]]
        return Edit(table["title"], tuple(changes), record)
    except (OSError, ValueError) as error:  # those of base64 are ValueErrors too
        _log.warning("%s cannot be read, that edit cannot be taken back: %s", record, error)
        return None
