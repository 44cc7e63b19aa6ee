"""Faulty records of caption edits: they are left out, and the sound one beside them can still be undone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.data.survey.caption_edits import History, change_of

from . import Case, NotHandledError
from .changes import Address, Content, drop, put

_CHANGE: Address = ("changes", 0)


def cases() -> Iterator[Case]:
    """Yield records that are no records, and some with one wrong value."""
    for name, spoil in _FILES.items():
        yield Case(f"record: {name}", partial(_act, spoil))
    for name, change in _VALUES.items():
        yield Case(f"record: {name}", partial(_act, partial(_rewritten, change)))


def _act(spoil: Callable[[Path], Any], folder: Path) -> None:
    caption = folder / "picture.txt"
    caption.write_text("before", encoding="utf-8")
    history = History(folder / "edits")
    history.apply("sound", [change_of(caption, lambda _: "between")])
    faulty = history.apply("faulty", [change_of(caption, lambda _: "after")])
    spoil(faulty.record)
    if [edit.title for edit in history.edits([folder])] != ["sound"]:
        raise NotHandledError("the record was offered, or the sound one was not")
    caption.write_text("between", encoding="utf-8")
    history.undo(history.edits([folder])[0])
    if caption.read_text(encoding="utf-8") != "before":
        raise NotHandledError("the sound edit cannot be undone")


def _rewritten(change: Callable[[Content], Any], path: Path) -> None:
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def _replaced(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


_FILES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x80"),
    "a list": lambda path: path.write_text("[1]"),
    "brackets without end": lambda path: path.write_text("[" * 100_000),
    "brackets in brackets": lambda path: path.write_text("[" * 100_000 + "]" * 100_000),
    "a number without end": lambda path: path.write_text('{"title": "faulty", "changes": 1e999}'),
    "a folder": _replaced(lambda path: path.mkdir()),
    **(
        {
            "a pipe": _replaced(os.mkfifo),
            "a link to itself": _replaced(lambda path: path.symlink_to(path.name)),
            "a link to nothing": _replaced(lambda path: path.symlink_to("nowhere")),
            "a link to a device": _replaced(lambda path: path.symlink_to("/dev/zero")),
        }
        if hasattr(os, "mkfifo")
        else {}
    ),
}

_VALUES: dict[str, Callable[[Content], Any]] = {
    "title missing": partial(drop, ("title",)),
    "title is a number": partial(put, ("title",), 7),
    "changes are a table": partial(put, ("changes",), {"path": "x"}),
    "change is a text": partial(put, _CHANGE, "x"),
    "path missing": partial(drop, (*_CHANGE, "path")),
    "path with a null": partial(put, (*_CHANGE, "path"), "a\0b"),
    "path is endless": partial(put, (*_CHANGE, "path"), "a" * 10_000),
    "path is a list": partial(put, (*_CHANGE, "path"), ["a"]),
    "content is a number": partial(put, (*_CHANGE, "before"), 7),
    "content is not base64": partial(put, (*_CHANGE, "before"), "§"),
    "content is half of base64": partial(put, (*_CHANGE, "after"), "abc"),
    "another key": partial(put, (*_CHANGE, "mode"), 0o777),
}
