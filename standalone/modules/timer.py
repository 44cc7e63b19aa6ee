"""How long the parts of the start took."""

from __future__ import annotations

import time


class Timer:
    """Sums seconds by name."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts anew."""
        self.last = self.start = time.monotonic()
        self.records: dict[str, float] = {}

    def record(self, category: str, extra_time: float = 0) -> None:
        """Books the seconds since the last call under a name."""
        now = time.monotonic()
        self.records[category] = self.records.get(category, 0) + now - self.last + extra_time
        self.last = now

    def summary(self) -> str:
        """One line: the total and the parts that took a tenth of a second or more."""
        parts = [f"{name}: {seconds:.1f}s" for name, seconds in self.records.items() if seconds >= 0.1]  # noqa: PLR2004
        return f"{self.last - self.start:.1f}s" + (f" ({', '.join(parts)})" if parts else "")


startup_timer = Timer()
