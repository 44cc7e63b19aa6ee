"""The ranks of a run that one process takes alone, and what those of several processes have to say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class Ranks:
    """The processes that share the pictures of each step; the first of them writes all files.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes, shows and measures."""
        return self.rank == 0

    @property
    def address(self) -> tuple[str | int, ...]:
        """What this process adds to the address of a draw that no other may repeat."""
        return ("rank", self.rank) if self.rank else ()

    def share(self, before: int, count: int) -> slice:
        """Return the places of this process among `count` pictures of a step, of which `before` were dealt out."""
        return slice((self.rank - before) % self.size, count, self.size)

    def add_up(self, weights: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Give all processes the sum of their gradients, and return the sum of `loss` [], their losses."""
        return loss

    def agreed(self, flag: bool) -> bool:
        """Tell whether any process says so, once all have been asked."""
        return flag

    def of_first(self, text: str) -> str:
        """Return the text of the first process."""
        return text

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let the first process run the block, and the others after it."""
        yield


ALONE = Ranks()
