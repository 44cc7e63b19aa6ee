"""Learning-rate schedules: the WebUI's text and cosine annealing with warm restarts."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from ...base.errors import ScheduleError

#: Most times that a cosine cycle may be as long as the one before.
MAX_MULTIPLIER = 100
_EXAMPLE = "it must be a number, or rates with the step each ends at, such as 4e-05:2000,4e-06:4000"


class Schedule(Protocol):
    """A learning rate for every optimizer step."""

    def rate(self, step: int) -> float:
        """Return the rate of step 0, 1, 2, ..."""

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last of a cycle, where a save is worth most."""

    @property
    def end_step(self) -> int | None:
        """The step at which the schedule ends, or None if it never does."""


@dataclass(frozen=True)
class StepSchedule:
    """Constant rates, each up to a step of its own.

    Attributes:
        pieces: pairs (rate, step at which the piece ends), in order.
    """

    pieces: tuple[tuple[float, int], ...]

    def __post_init__(self) -> None:
        for rate, end in self.pieces:
            check_numbers(rate=rate, end=end)

    def rate(self, step: int) -> float:
        """Return the rate of `step`; after the end, the last one."""
        for rate, end in self.pieces:
            if step < end:
                return rate
        return self.pieces[-1][0]

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last one of a piece."""
        return any(step == end - 1 for _, end in self.pieces)

    @property
    def end_step(self) -> int:
        """The WebUI ends a run where its text ends."""
        return self.pieces[-1][1]


@dataclass(frozen=True)
class CosineRestarts:
    """Cosine annealing with warm restarts, after Loshchilov & Hutter, SGDR (2017), with warm-up and decay per cycle.

    Attributes:
        cycle: steps of the first cycle, warm-up included.
        multiplier: cycle n (0, 1, ...) is `int(cycle * multiplier**n)` steps long, and at least one after its warm-up.
        max_rate: peak of the first cycle.
        min_rate: where each cycle starts and ends.
        warmup: steps in which a cycle rises linearly to its peak.
        decay: each cycle peaks at this share of the one before.
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
            raise ScheduleError(f"must be at most 1, not {self.decay:g}", "decay")
        if self.multiplier > MAX_MULTIPLIER:
            raise ScheduleError(f"must be at most {MAX_MULTIPLIER}, not {self.multiplier:g}", "multiplier")
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
        """First steps of the cycles, as far as they were asked for."""
        return [0]

    def _locate(self, step: int) -> tuple[int, int, int]:
        """Return the number of the cycle that holds `step`, the position in it, and its length."""
        starts, shortest = self._starts, self.warmup + 1
        # Once a cycle has this length all further ones have it too.
        settled = self.cycle if self.multiplier == 1 else shortest if self.multiplier < 1 else None
        while starts[-1] <= step:
            length = max(int(self.cycle * self.multiplier ** (len(starts) - 1)), shortest)
            if length == settled:
                further, position = divmod(step - starts[-1], length)
                return len(starts) - 1 + further, position, length
            starts.append(starts[-1] + length)
        number = bisect_right(starts, step) - 1
        return number, step - starts[number], starts[number + 1] - starts[number]


def check_numbers(**numbers: float) -> None:
    """Raise ScheduleError, which names the field, for a number that is below 0, infinite or none."""
    for field, number in numbers.items():
        if not math.isfinite(number):
            raise ScheduleError(f"must be a finite number, not {number}", field)
        if number < 0:
            raise ScheduleError(f"must be at least 0, not {number:g}", field)


def parse(text: str, max_steps: int) -> StepSchedule:
    """Read the WebUI's schedule text: `0.00004`, or `4e-05:2000,4e-06:4000`; an end of -1 means the end of the run.

    Raises:
        ScheduleError: the text is not such a schedule.
    """
    pieces: list[tuple[float, int]] = []
    start = 0
    for pair in (pair for pair in text.split(",") if pair.strip()):
        rate, end = _pair(text, pair, max_steps)
        if end == 0:
            continue
        # The WebUI stays at least one step with each rate, also where the ends do not grow.
        start = max(min(end, max_steps), start + 1)
        pieces.append((rate, start))
        if end >= max_steps:
            break
    if not pieces:
        raise ScheduleError(f"{text!r} is no learning rate; {_EXAMPLE}")
    return StepSchedule(tuple(pieces))


def _pair(text: str, pair: str, max_steps: int) -> tuple[float, int]:
    """Rate and end of one `rate:end`; an end of 0 marks a pair that applies to no step."""
    rate_text, colon, end_text = pair.partition(":")
    try:
        rate = float(rate_text)
        end = int(end_text) if colon else -1
    except ValueError:
        raise ScheduleError(f"{text!r} is no learning rate; {_EXAMPLE}") from None
    if not math.isfinite(rate) or rate < 0:
        raise ScheduleError(f"{rate_text.strip()} in {text!r} is no learning rate; {_EXAMPLE}")
    return rate, max_steps if end == -1 else max(end, 0)
