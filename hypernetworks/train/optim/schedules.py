"""Learning-rate schedules: the WebUI's text and cosine annealing with warm restarts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from ...base.errors import ScheduleError

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
        multiplier: each next cycle, less the warm-up, is this many times as long.
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
        if self.cycle < 1:
            raise ScheduleError("the cosine cycle must be at least 1 step long")
        if not 0 <= self.warmup < self.cycle:
            raise ScheduleError(f"the warm-up of {self.warmup} steps must be shorter than the cycle of {self.cycle}")
        if self.min_rate > self.max_rate:
            raise ScheduleError(f"the minimum rate {self.min_rate:g} is above the rate {self.max_rate:g}")
        if int((self.cycle - self.warmup) * self.multiplier) < 1:
            raise ScheduleError(f"with a multiplier of {self.multiplier:g} the second cycle has no steps left")

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

    def _locate(self, step: int) -> tuple[int, int, int]:
        """Return the number of the cycle that holds `step`, the position in it, and its length."""
        if self.multiplier == 1:
            return step // self.cycle, step % self.cycle, self.cycle
        number, position, length = 0, step, self.cycle
        while position >= length:
            position -= length
            # A cycle never shrinks below one step after its warm-up, or the search would not end.
            following = max(int((length - self.warmup) * self.multiplier), 1) + self.warmup
            number += 1
            if following == length:
                return number + position // length, position % length, length
            length = following
        return number, position, length


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
