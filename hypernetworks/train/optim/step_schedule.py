"""The WebUI's schedule text: constant rates, each up to a given step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...base.errors import ScheduleError
from .schedule import ScheduleRequest, check_numbers, schedule

_EXAMPLE = "it must be a number, or rates with the step each ends at, such as 4e-05:2000,4e-06:4000"


@dataclass(frozen=True)
class StepSchedule:
    """Constant rates, each up to a given step.

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
        """The end of the last piece, where the WebUI ends a run."""
        return self.pieces[-1][1]


def parse(text: str, max_steps: int) -> StepSchedule:
    """Return the schedule of the WebUI's text: `0.00004`, or `4e-05:2000,4e-06:4000`; -1 means the end of the run.

    Raises:
        ScheduleError: the text is not such a schedule.
    """
    pieces: list[tuple[float, int]] = []
    start = 0
    for pair in (pair for pair in text.split(",") if pair.strip()):
        rate, end = _pair(text, pair, max_steps)
        if end == 0:
            continue
        # The WebUI keeps each rate for at least one step, even if the ends do not ascend.
        start = max(min(end, max_steps), start + 1)
        pieces.append((rate, start))
        if end >= max_steps:
            break
    if not pieces:
        raise ScheduleError(f"{text!r} is no learning rate; {_EXAMPLE}")
    return StepSchedule(tuple(pieces))


def _pair(text: str, pair: str, max_steps: int) -> tuple[float, int]:
    """Return rate and end of one `rate:end`; an end of 0 marks a pair for no step."""
    rate_text, colon, end_text = pair.partition(":")
    try:
        rate = float(rate_text)
        end = int(end_text) if colon else -1
    except ValueError:
        raise ScheduleError(f"{text!r} is no learning rate; {_EXAMPLE}") from None
    if not math.isfinite(rate) or rate < 0:
        raise ScheduleError(f"{rate_text.strip()} in {text!r} is no learning rate; {_EXAMPLE}")
    return rate, max_steps if end == -1 else max(end, 0)


@schedule("steps", order=10, shapes_one_rate=False)
def as_written(request: ScheduleRequest) -> StepSchedule:
    """Return the learning rate as it is written."""
    return parse(request.settings.rate, request.steps)
