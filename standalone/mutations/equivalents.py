"""The changes that are known to change nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .mutants import Mutant, mutant, places

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVERYWHERE = "*"
FILE = Path(__file__).with_name("equivalents.toml")


@dataclass(frozen=True)
class Equivalent:
    """A change that no test can notice: known by its texts, so that it outlives a move of the line.

    Attributes:
        file: where it is, below the project's folder; `EVERYWHERE` for a habit of all files.
    """

    file: str
    line: str
    becomes: str
    reason: str


def read(file: Path = FILE) -> list[Equivalent]:
    """Return the known ones, in their order. Raises KeyError for an entry that lacks a part."""
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("equivalent", [])
    return [
        Equivalent(entry["file"], entry["line"], becomes, entry["reason"])
        for entry in entries
        for becomes in entry["becomes"]
    ]


def find(known: Sequence[Equivalent], found: Mutant, root: Path) -> Equivalent | None:
    """Return the entry for a change, None where it is not known."""
    files = (EVERYWHERE, found.path.relative_to(root).as_posix())
    texts = (found.before, found.after)
    return next((each for each in known if each.file in files and (each.line, each.becomes) == texts), None)


def stale(known: Sequence[Equivalent], root: Path) -> list[Equivalent]:
    """Return the entries whose file, line or change is there no longer."""
    return [each for each in known if not _is_there(each, root)]


def _is_there(entry: Equivalent, root: Path) -> bool:
    if entry.file == EVERYWHERE:
        return True
    path = root / entry.file
    if not path.is_file():
        return False
    lines = path.read_text(encoding="utf-8").splitlines()
    numbers = {number for number, line in enumerate(lines, 1) if line.strip() and " ".join(line.split()) in entry.line}
    near = (place for place in places(path) if numbers & set(range(place.position[0][0], place.position[1][0] + 1)))
    made = filter(None, map(mutant, near))
    return any((each.before, each.after) == (entry.line, entry.becomes) for each in made)
