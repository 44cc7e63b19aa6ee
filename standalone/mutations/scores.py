"""What came of the mutants of a room, as the lines of a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .children import SURVIVED, TOO_SLOW
from .mutants import Mutant

HEAD = "| room | changes tried | noticed | of these by time alone | score | equivalent, not counted | seconds |"


@dataclass
class Score:
    """The mutants of a room.

    Attributes:
        outcomes: each mutant with what came of it.
        equivalent: how many were passed over, as they change nothing.
        useless: the tests that do not pass without a change.
    """

    room: str
    outcomes: list[tuple[Mutant, str]] = field(default_factory=list)
    equivalent: int = 0
    useless: set[str] = field(default_factory=set)
    seconds: float = 0

    @property
    def survivors(self) -> list[Mutant]:
        """The changes that no test noticed."""
        return [mutant for mutant, outcome in self.outcomes if outcome == SURVIVED]

    def row(self) -> str:
        """Return a row of the table below `HEAD`."""
        tried, slow = len(self.outcomes), sum(outcome == TOO_SLOW for _, outcome in self.outcomes)
        noticed = tried - len(self.survivors)
        share = f"{100 * noticed / tried:.0f} %" if tried else "-"
        cells = (self.room, tried, noticed, slow, share, self.equivalent, f"{self.seconds:.0f}")
        return f"| {' | '.join(map(str, cells))} |"


def explained(mutant: Mutant, root: Path, reached: bool = True) -> Iterator[str]:
    """Yield the lines that tell of a survivor what a person needs to write a test, or an entry of the equivalents."""
    note = "" if reached else ", which no test of the room runs"
    yield f"{mutant.path.relative_to(root).as_posix()}:{mutant.line} {mutant.operator}{note}"
    yield f"  - {mutant.before}"
    yield f"  + {mutant.after}"
