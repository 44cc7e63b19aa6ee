"""Captions that a tagger has made and that are in no caption file yet, kept so that a kill does not cost them."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...base.errors import DatasetError
from ...base.forms import Record, Text, UnfitError
from ...base.outside import UnfitTextError, parse_json, read_text

_MAX_BYTES = 1 << 28
_HEAD, _WRITTEN = "journal", "written"
_FIRST = Record({_HEAD: Text(16, r"[0-9a-f]{16}")})
_LINE = Record({"picture": Text(64, r"[0-9a-f]+"), "caption": Text(1_000_000)})
_log = logging.getLogger(__name__)


class CaptionJournal:
    """The captions of one job, a line for each, in the order in which they were made.

    Args:
        path: its file, made with its folder when the first caption is noted. What is damaged in it, such as the line
            at which the process was killed, counts as not there.
        is_new: whether a file that is there is of another job, and is passed over.

    Attributes:
        pending: captions that are in no caption file yet, by sign of the picture.
        done: signs of the pictures whose captions are in their files.
    """

    def __init__(self, path: Path, is_new: bool = False) -> None:
        self._path = path
        self._id = secrets.token_hex(8)
        self._edits = 0
        self.pending: dict[str, str] = {}
        self.done: set[str] = set()
        if is_new:
            self.delete()
        self._read()

    @property
    def mark(self) -> str:
        """What the edit that writes the pending captions is marked with: no other edit ever is."""
        return f"{self._id}-{self._edits}"

    def note(self, picture: str, caption: str) -> None:
        """Keep a caption; raises DatasetError where the disk refuses it."""
        self._append({"picture": picture, "caption": caption})
        self.pending[picture] = caption

    def settle(self) -> None:
        """Note that all pending captions are in their files; raises DatasetError where the disk refuses it."""
        self._append({_WRITTEN: True})
        self._settle()

    def delete(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def _settle(self) -> None:
        self.done |= self.pending.keys()
        self.pending = {}
        self._edits += 1

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            is_begun = self._path.exists()
            with self._path.open("a", encoding="utf-8") as file:
                if not is_begun:
                    file.write(json.dumps({_HEAD: self._id}))
                file.write(f"\n{json.dumps(line)}")  # half a line may be before it
        except OSError as error:
            reason = f"the captions made so far cannot be kept in {self._path}: {error.strerror or error}"
            raise DatasetError(reason) from error

    def _read(self) -> None:
        if not self._path.exists():
            return
        try:
            lines = read_text(self._path, _MAX_BYTES).splitlines()
            self._id = _FIRST.take(parse_json(lines[0] if lines else ""))[_HEAD]
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read, its captions are made again: %s", self._path, error)
            self.delete()
            return
        for line in lines[1:]:
            try:
                found = parse_json(line)
                if found == {_WRITTEN: True}:
                    self._settle()
                    continue
                kept = _LINE.take(found)
            except (UnfitTextError, UnfitError):  # half a line, as of a kill
                continue
            self.pending[kept["picture"]] = kept["caption"]
