"""Batches: every picture once per epoch, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..randomness import derived_seed


def epoch_batches(count: int, batch_size: int, seed: int, epoch: int) -> list[tuple[int, ...]]:
    """Indices of the batches of one epoch; the last batch may be smaller."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    order = torch.randperm(count, generator=generator).tolist()
    return [tuple(order[start : start + batch_size]) for start in range(0, count, batch_size)]


def step_groups(
    count: int, batch_size: int, accumulation: int, seed: int
) -> Iterator[tuple[int, list[tuple[int, ...]]]]:
    """Endless pairs (epoch, batches of one optimizer step).

    A step gathers `accumulation` batches; the last step of an epoch takes what is left, so that no picture is dropped.
    """
    epoch = 0
    while True:
        batches = epoch_batches(count, batch_size, seed, epoch)
        for start in range(0, len(batches), accumulation):
            yield epoch, batches[start : start + accumulation]
        epoch += 1
