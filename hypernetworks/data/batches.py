"""Batches: every picture once per epoch and repeat, one size per batch, in an order fixed by seed and epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import torch

from ..base.randomness import derived_seed


class BatchKind(NamedTuple):
    """What the pictures of one batch must share: the size in pixels, and the batch size."""

    width_px: int
    height_px: int
    batch_size: int


class StepBatches(NamedTuple):
    """The micro-batches of one optimizer step.

    Attributes:
        step: number of optimizer steps before this one.
        epoch: its pass over the dataset, from 0.
        micro_batches: numbers of the items in each.
    """

    step: int
    epoch: int
    micro_batches: list[tuple[int, ...]]

    @property
    def pictures(self) -> int:
        """The number of pictures of the step."""
        return sum(map(len, self.micro_batches))


def epoch_batches(kinds: Sequence[BatchKind], seed: int, epoch: int) -> list[tuple[int, ...]]:
    """Return the batches of one epoch, as indices into `kinds`; the last batch of a kind may be smaller."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    groups: dict[BatchKind, list[int]] = {}
    for index in torch.randperm(len(kinds), generator=generator).tolist():
        groups.setdefault(kinds[index], []).append(index)
    batches = [
        tuple(group[start : start + kind.batch_size])
        for kind, group in groups.items()
        for start in range(0, len(group), kind.batch_size)
    ]
    if len(groups) == 1:
        return batches
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]


def steps_per_epoch(kinds: Sequence[BatchKind], accumulation: int) -> int:
    """Return the number of optimizer steps of one epoch."""
    batch_count = sum(-(-count // kind.batch_size) for kind, count in Counter(kinds).items())
    return -(-batch_count // accumulation)


def step_batches(kinds: Sequence[BatchKind], accumulation: int, seed: int, start: int = 0) -> Iterator[StepBatches]:
    """Yield the micro-batches of each optimizer step from `start` on, endlessly.

    A step has `accumulation` of them; the last step of an epoch has the rest, so that no picture is dropped.
    """
    per_epoch = steps_per_epoch(kinds, accumulation)
    step = start
    for epoch in count(start // per_epoch):
        batches = epoch_batches(kinds, seed, epoch)
        for first in range(step % per_epoch * accumulation, len(batches), accumulation):
            yield StepBatches(step, epoch, batches[first : first + accumulation])
            step += 1
