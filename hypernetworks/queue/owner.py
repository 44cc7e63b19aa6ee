"""Who works on a job: a process, and whether it still lives."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass

import psutil

#: A process of another machine that has not been heard of for so long is taken for dead.
SILENCE_S = 120.0
_TEXT = re.compile(r"(\d{1,10}) (\d{1,12}) (.{0,200})", re.DOTALL)


@dataclass(frozen=True)
class Owner:
    """A process.

    Attributes:
        pid: its number, which the system gives to another one later.
        born: when it started, in seconds since the epoch.
        host: the machine.
    """

    pid: int
    born: int
    host: str

    @classmethod
    def here(cls) -> Owner:
        """Return this process."""
        return cls(os.getpid(), round(psutil.Process().create_time()), platform.node()[:200])

    @classmethod
    def parse(cls, text: str | None) -> Owner | None:
        """Return the process of a text as `str` gives it; None for any other."""
        found = _TEXT.fullmatch(text or "")
        return cls(int(found[1]), int(found[2]), found[3]) if found else None

    def __str__(self) -> str:
        return f"{self.pid} {self.born} {self.host}"

    def is_alive(self, silent_s: float) -> bool:
        """Tell whether the process lives, or may live; `silent_s` are the seconds since it was heard of."""
        if self.host != platform.node()[:200]:
            return silent_s < SILENCE_S
        try:
            process = psutil.Process(self.pid)
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return (
                not is_dead and abs(process.create_time() - self.born) <= 1
            )  # the clock may have been set by a second
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True
