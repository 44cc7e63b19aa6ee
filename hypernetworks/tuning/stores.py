"""Where a study is kept: in a file of its own, or in a database that several machines share."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..base.errors import SettingsError
from .local_store import LocalStore
from .shared_store import SharedStore, without_password
from .space import Space
from .trials import Store

FILE = "study.sqlite"
_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+")


def mark_of(url: str) -> str:
    """Return what tells the folder of a study in a database from those of other studies of its name; else nothing."""
    return f"-shared-{hashlib.sha256(without_password(url).encode()).hexdigest()[:6]}" if url else ""


def open_store(url: str, folder: Path, name: str, space: Space, objectives: int) -> Store:
    """Return the store of a study.

    Args:
        url: address of a database; empty: a file in `folder`.
        objectives: how many values each trial has.

    Raises:
        SettingsError: the address is of no database that can be used, or a package is missing.
        StudyError: the database cannot be opened.
    """
    if not url:
        return LocalStore(folder / FILE)
    if not url.startswith(_SCHEMES):
        raise SettingsError("--study", f"must begin with {_SCHEMES[0]} or {_SCHEMES[1]}, not {url.partition(':')[0]}")
    return SharedStore(url, name, space, objectives)
