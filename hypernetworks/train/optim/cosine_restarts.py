"""Cosine annealing with warm restarts."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from ...base.errors import ScheduleError
from ...base.numbers import in_full
from ...base.options import setting
from ...base.registry import OwnOptions
from .schedule import RATE, WARMUP, ScheduleRequest, check_numbers, schedule

#: Largest factor by which a cycle may be longer than the one before.
MAX_MULTIPLIER = 100
_CYCLES: OwnOptions = {
    "cycle": setting(
        "0",
        "Cosine cycle",
        "Length of the first cycle in steps, warm-up included, or a length such as 10 epochs; 0 is the whole run.",
        group=RATE,
        starts_row=True,
    ),
    "multiplier": setting(
        1.0,
        "Cycle multiplier",
        "Each cycle is this many times as long as the one before, warm-up included.",
        group=RATE,
        minimum=0.1,
        maximum=MAX_MULTIPLIER,
    ),
    "decay": setting(
        1.0,
        "Cycle decay",
        "The peak of each cycle is this share of the one before.",
        group=RATE,
        minimum=0.0,
        maximum=1.0,
    ),
}


@dataclass(frozen=True)
class CosineRestarts:
    """Cosine annealing with warm restarts, after Loshchilov & Hutter, SGDR (2017), with warm-up and decay per cycle.

    Attributes:
        cycle: steps of the first cycle, warm-up included.
        multiplier: cycle n (0, 1, ...) is `int(cycle * multiplier**n)` steps long, and at least one after its warm-up.
        max_rate: peak of the first cycle.
        min_rate: the rate at which each cycle starts and ends.
        warmup: steps during which a cycle rises linearly to its peak.
        decay: the peak of each cycle as a share of the previous one.
    """

    cycle: int
    multiplier: float = 1.0
    max_rate: float = 1e-4
    min_rate: float = 0.0
    warmup: int = 0
    decay: float = 1.0

    def __post_init__(self) -> None:
        check_numbers(**vars(self))
        if self.cycle < 1:
            raise ScheduleError(f"must be at least 1 step, not {self.cycle}", "cycle")
        if self.warmup >= self.cycle:
            raise ScheduleError(f"must be shorter than the cycle of {self.cycle} steps, not {self.warmup}", "warmup")
        if self.min_rate > self.max_rate:
            raise ScheduleError(f"must not be above the learning rate of {self.max_rate:g}", "min_rate")
        if self.decay > 1:
            raise ScheduleError(f"must be at most 1, not {in_full(self.decay)}", "decay")
        if self.multiplier > MAX_MULTIPLIER:
            raise ScheduleError(f"must be at most {MAX_MULTIPLIER}, not {in_full(self.multiplier)}", "multiplier")
        if int(self.cycle * self.multiplier) <= self.warmup:
            raise ScheduleError(f"{self.multiplier:g} leaves the second cycle no step after the warm-up", "multiplier")

    def rate(self, step: int) -> float:
        """Return the rate of `step`."""
        number, position, length = self._locate(step)
        peak = self.max_rate * self.decay**number
        if position < self.warmup:
            return (peak - self.min_rate) * position / self.warmup + self.min_rate
        share = (position - self.warmup) / (length - self.warmup)
        return self.min_rate + (peak - self.min_rate) * (1 + math.cos(math.pi * share)) / 2

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last one of a cycle."""
        _, position, length = self._locate(step)
        return position == length - 1

    @property
    def end_step(self) -> None:
        """Restarts never end."""
        return

    @cached_property
    def _starts(self) -> list[int]:
        """The first steps of the cycles computed so far."""
        return [0]

    def _locate(self, step: int) -> tuple[int, int, int]:
        """Return the number of the cycle that holds `step`, the position in it, and its length."""
        starts, shortest = self._starts, self.warmup + 1
        # Once a cycle has this length, all later ones have it too.
        final_length = self.cycle if self.multiplier == 1 else shortest if self.multiplier < 1 else None
        while starts[-1] <= step:
            length = max(int(self.cycle * self.multiplier ** (len(starts) - 1)), shortest)
            if length == final_length:
                further, position = divmod(step - starts[-1], length)
                return len(starts) - 1 + further, position, length
            starts.append(starts[-1] + length)
        number = bisect_right(starts, step) - 1
        return number, step - starts[number], starts[number + 1] - starts[number]


@schedule("cosine restarts", order=60, options={**WARMUP, **_CYCLES}, lengths=("warmup", "cycle"))
def cosine_restarts(request: ScheduleRequest) -> CosineRestarts:
    """Return cycles of the length in the settings, or one as long as the run."""
    settings, cycle = request.settings, request.length("cycle") or request.steps
    warmup = request.length("warmup")
    return CosineRestarts(cycle, settings.multiplier, request.max_rate, settings.min_rate, warmup, settings.decay)
