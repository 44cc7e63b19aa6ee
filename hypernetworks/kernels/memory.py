"""Memory: how much there is, how much a run will take, and how much it took."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

MB = 1 << 20
#: What is computed again in the backward pass: nothing, the transformer blocks, or all blocks.
CHECKPOINTING = ("none", "attention", "all")

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(frozen=True)
class Activations:
    """Bytes that a forward and a backward pass take at most, for each choice of checkpointing."""

    none: int
    attention: int
    all: int

    def of(self, checkpointing: str) -> int:
        """Return the bytes of one choice."""
        return int(getattr(self, checkpointing))


class PeakMemory:
    """Peak memory since this was made: of the GPU where the model is on one, else of the whole process.

    Attributes:
        is_exact: whether it counts what was taken, not what the system still holds for the process.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.is_exact = device.type == "cuda"
        #: The highest before each time that was not counted, and that of all times.
        self._counted_mb = self._highest_mb = 0.0
        self._reset()
        self._start_mb = self._present_mb()

    def peak_mb(self) -> float:
        """Return the peak in MiB; of a process it is the highest of its life where the system cannot reset it."""
        return max(self._highest_mb, self._present_peak_mb())

    def above_start_mb(self) -> float:
        """Return the peak in MiB above what was in use when this was made, without the times that do not count."""
        return max(0.0, max(self._counted_mb, self._present_peak_mb()) - self._start_mb)

    @contextmanager
    def making_ready(self) -> Iterator[None]:
        """Let `above_start_mb` count from what is left after the block, as where a part of the model leaves the GPU.

        The memory of a process hardly shows what comes and goes, so there nothing changes.
        """
        before = self._present_mb()
        yield
        if self.is_exact:
            self._highest_mb = max(self._highest_mb, self._present_peak_mb())
            self._reset()
            self._start_mb += self._present_mb() - before

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        """Leave what is taken in the block out of `above_start_mb`."""
        before = self._present_peak_mb()
        self._counted_mb, self._highest_mb = max(self._counted_mb, before), max(self._highest_mb, before)
        try:
            yield
        finally:
            self._highest_mb = max(self._highest_mb, self._present_peak_mb())
            self._reset()

    def _present_mb(self) -> float:
        return torch.cuda.memory_allocated(self._device) / MB if self.is_exact else process_mb()

    def _present_peak_mb(self) -> float:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / MB
        return process_peak_mb()

    def _reset(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            _reset_process_peak()


def free_bytes(device: torch.device) -> int:
    """Return the bytes that a run may still take: of the GPU, with what torch holds unused, else of the machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(psutil.virtual_memory().available)


def process_mb() -> float:
    """Return the resident memory of this process now, in MiB."""
    return psutil.Process().memory_info().rss / MB


def process_peak_mb() -> float:
    """Return the highest resident memory of this process, in MiB: on Linux since `PeakMemory` was made."""
    if _STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
        if found:
            return int(found.group(1)) / 1024
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / MB
    import resource  # noqa: PLC0415 (missing on Windows)

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MB if sys.platform == "darwin" else 1024)


def _reset_process_peak() -> None:
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return  # exists only on Linux, and not every sandbox allows it
