"""Names that stand in a prompt's tag for what it cannot carry: compositions typed as text, names with `:` or `>`."""

from __future__ import annotations

import hashlib
import re

_meanings: dict[str, str] = {}
_UNFIT = re.compile(r"[:>\n]")
_DIGITS = 10


def in_tag(name: str) -> str:
    """`name`, or the name that stands for it where a tag cannot carry it; the same for the same name, always."""
    if not _UNFIT.search(name):
        return name
    alias = f"mix-{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"
    _meanings[alias] = name
    return alias


def meaning(name: str) -> str:
    """Tell what a name of a tag stands for, itself where it is no alias."""
    return _meanings.get(name, name)
