"""How much memory a piece of code takes at its peak."""

import contextlib
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class Peak:
    """Bytes above what was in use at the start; known once the block has ended."""

    bytes = 0


@contextlib.contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure a block: all memory of the process on Linux, Python's own elsewhere."""
    peak = Peak()
    try:
        _RESET.write_text("5")
    except OSError:
        tracemalloc.start()
        yield peak
        peak.bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return
    before = _kilobytes("VmRSS")
    yield peak
    peak.bytes = (_kilobytes("VmHWM") - before) * 1024


def _kilobytes(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text())
    assert found
    return int(found.group(1))
