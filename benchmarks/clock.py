"""A clock that a busy machine does not disturb: what one thread did or slept, without what it waited for a core."""

from __future__ import annotations

import time
from pathlib import Path

#: Nanoseconds on a core, nanoseconds waiting for one, and how often; where Linux keeps them.
_SCHEDULE = Path("/proc/thread-self/schedstat")


def own_s() -> float:
    """Return seconds of which differences are the time of this thread: wall time less the waiting for a core.

    Unlike processor time it counts sleeping. Where the system does not tell the waiting, it is processor time.
    """
    try:
        waited_ns = int(_SCHEDULE.read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return time.thread_time()
    return time.perf_counter() - waited_ns / 1e9
