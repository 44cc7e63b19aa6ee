"""What somebody may mean by a name that does not exist."""

from __future__ import annotations

import difflib
import itertools
import unicodedata
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from . import numbers
from .outside import is_file, is_folder, shown_path

_LIKENESS = 0.75
_MOST_NAMES = 2000


def meant(name: str, known: Collection[str], elsewhere: Mapping[str, str] | None = None) -> str:
    """Return the known name that `name` may stand for; empty where none is like it.

    A name that is the same but for case, signs or blanks comes before one that is only like it, and a known one before
    one from elsewhere.

    Args:
        elsewhere: further names, each with what to return for it.
    """
    here, others = {_plain(one): one for one in known}, {_plain(one): to for one, to in (elsewhere or {}).items()}
    key = _plain(name)
    for names in (here, others):
        if key in names:
            return names[key]
    for names in (here, others):
        like = difflib.get_close_matches(key, names, n=1, cutoff=_LIKENESS)
        if like:
            return names[like[0]]
    return ""


def or_known(suggestion: str, known: Collection[str]) -> str:
    """Return the end of a sentence about a name that does not exist: what it may mean, or else what is known."""
    return f"do you mean {suggestion}?" if suggestion else f"known are {', '.join(known)}"


def no_folder(path: Path) -> str:
    """Return what to tell about a place that should be a folder, with the folder beside it that may be meant."""
    shown = shown_path(path)
    if is_file(path) and path.suffix.lower() in (".toml", ".json"):
        return f"{shown} is not a folder but a file; a dataset file has a field of its own"
    if is_file(path):
        return f"{shown} is not a folder but a file; name the folder that it lies in"
    like = meant(path.name, beside(path, is_folder))
    return f"{shown} is not a folder; there is {like}" if like else f"{shown} is not a folder"


def beside(path: Path, fits: Callable[[Path], bool]) -> list[str]:
    """Return the names of what lies in the same folder and fits, of the first few thousand things there."""
    try:
        return [one.name for one in itertools.islice(path.parent.iterdir(), _MOST_NAMES) if fits(one)]
    except (OSError, ValueError):  # there is no such folder
        return []


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKC", numbers.plain(name[:100])).casefold()
    return "".join(one for one in letters if one.isalnum())
