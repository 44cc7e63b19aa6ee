"""The queue of this host, and its settings."""

from __future__ import annotations

from pathlib import Path

from modules import paths

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.queue import Queue

BETWEEN_JOBS, BETWEEN_STEPS = "between jobs", "between steps"
#: When the jobs of others, such as generation, have their turn while the queue works.
LETS_IN = (BETWEEN_JOBS, BETWEEN_STEPS)
_LETS_IN = "lets in"


def queue() -> Queue:
    """Return the queue of the host's data folder."""
    return Queue.of(Path(paths.data_path))


def lets_in() -> str:
    """Return when others have their turn, one of `LETS_IN`."""
    chosen = queue().option(_LETS_IN)
    return chosen if chosen in LETS_IN else BETWEEN_JOBS


def set_lets_in(choice: str) -> None:
    """Set when others have their turn; raises SettingsError for what is none of `LETS_IN`."""
    if choice not in LETS_IN:
        raise SettingsError("lets_in", f"must be one of {', '.join(LETS_IN)}, not {choice[:40]!r}")
    queue().set_option(_LETS_IN, choice)
