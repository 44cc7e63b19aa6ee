"""A clock that a busy machine does not disturb: what one thread did or slept, without what it waited for a core.

And the statistics of the times that it and others give.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

#: Nanoseconds on a core, nanoseconds waiting for one, and how often; where Linux keeps them.
_SCHEDULE = Path("/proc/thread-self/schedstat")


def own_s() -> float:
    """Return seconds of which differences are the time of this thread: wall time less the waiting for a core.

    Unlike processor time it counts sleeping. Where the system does not tell the waiting, it is processor time.
    """
    try:
        while True:
            waited_ns, now = _waited_ns(), time.perf_counter()
            if _waited_ns() == waited_ns:  # or this thread waited between the two, and they do not belong together
                return now - waited_ns / 1e9
    except (OSError, IndexError):
        return time.thread_time()


def _waited_ns() -> int:
    return int(_SCHEDULE.read_text(encoding="ascii").split()[1])


def spread(name: str, values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Return the median as `name`, and the 10th and 90th percentile with it."""
    p10, p90 = percentile(values, 10), percentile(values, 90)
    found = {name: statistics.median(values), f"{name}_p10": p10, f"{name}_p90": p90}
    return {key: round(value, digits) for key, value in found.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` percent of the values lie, interpolated linearly."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
