"""Describes the machine that a measurement was taken on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


def describe(device: torch.device) -> str:
    """Return processor, cores that this process may use, memory, GPU if one is used, and versions, as one text."""
    parts = [_processor(), f"{_cores()} cores, {torch.get_num_threads()} threads"]
    memory = _memory_bytes()
    if memory:
        parts.append(f"{memory / 2**30:.0f} GiB memory")
    if device.type == "cuda":
        parts.append(torch.cuda.get_device_name(device))
    parts.append(f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}")
    return "; ".join(parts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
