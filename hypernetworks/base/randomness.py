"""Randomness by address: every draw of a run depends on the seed and its place, never on what was drawn before.

A step therefore gives the same noise whether previews were made before it, or the run was interrupted and resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derived_seed(seed: int, *address: str | int) -> int:
    """Return a seed of 63 bits for the draw at `address`, such as ("noise", step, micro_batch)."""
    digest = hashlib.sha256(repr((seed, *address)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators (dropout has no other) and restore them afterwards."""
    if device.type not in {"cpu", "cuda"}:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
        return
    # torch.manual_seed would seed all kinds of devices at each step.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
