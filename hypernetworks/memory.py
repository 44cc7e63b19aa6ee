"""How much memory a run takes."""

from __future__ import annotations

import sys

import torch

_MB = 1 << 20


class PeakMemory:
    """Peak memory since it was made: of the GPU where the model is on one, else of the whole process."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def peak_mb(self) -> float:
        """The peak in MiB. For a process this is the highest of its life, which the system counts for us."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / _MB
        return process_peak_mb()


def process_peak_mb() -> float:
    """Highest resident memory of this process so far, in MiB."""
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415 (only Windows needs it; every host has it)

        return psutil.Process().memory_info().peak_wset / _MB
    import resource  # noqa: PLC0415 (missing on Windows)

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_MB if sys.platform == "darwin" else 1024)
