"""The pages of the tab Queue: the list of jobs, and the settings of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import elements

_FILE = "queue.html"


@dataclass(frozen=True)
class Card:
    """What the list shows of a job.

    Attributes:
        id: its number.
        kind: what it does, in words.
        state: one of the states of the queue.
        done, total: how far it is; a total of 0 where that is not known.
        text: progress in one line.
        takes, begins: how long it will take, and until it begins, in words; empty where that is not known.
        after: the job that has to be done before it, or None.
        hindrance: why it cannot begin, in sentences; empty where it can in its turn.
        outcome: what came of it, in sentences.
    """

    id: int
    kind: str
    title: str
    state: str
    done: int
    total: int
    text: str
    takes: str
    begins: str
    after: int | None
    hindrance: str
    outcome: str


def listing(cards: Sequence[Card], is_held: bool) -> str:
    """Return the list of jobs, each with a box to choose it."""
    return elements.page(_FILE, "listing", cards, is_held)


def details(title: str, settings: str) -> str:
    """Return the settings of a job, a text in TOML."""
    return elements.page(_FILE, "details", title, settings)
