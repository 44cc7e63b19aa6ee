"""The WebUI's schedule text: constant rates, each up to a given step."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from ...base import numbers
from ...base.errors import NumberError, ScheduleError
from ...base.outside import shown
from .schedule import ScheduleRequest, check_numbers, schedule

_MOST_PIECES = 1000
_EXAMPLE = "it must be a number, or rates with the step each ends at, such as 4e-05:2000,4e-06:4000"
_NO_END = -1
_FAR_OFF = 2**62


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

    Pieces behind the end of the run are ignored, as in the WebUI. A piece that no run could reach is refused, which
    the WebUI passes over: it is a mistake, such as a decimal comma.

    Raises:
        ScheduleError: the text is not such a schedule; names the piece.
    """
    pieces: list[tuple[float, int]] = []
    before, last = "", 0
    for piece in _pieces(text):
        rate, end = _pair(text, piece)
        if last == _NO_END:
            raise ScheduleError(f"{piece} in {shown(text)} is never reached, as {before} before it has no end")
        if end != _NO_END and end <= last:
            why = f"it ends at step {end}, and step {last} is past before it"
            raise ScheduleError(f"{piece} in {shown(text)} is never reached, as {why}")
        if not pieces or pieces[-1][1] < max_steps:
            pieces.append((rate, max_steps if end == _NO_END else min(end, max_steps)))
        before, last = piece, end
    if not pieces:
        raise ScheduleError(f"{shown(text)} is no learning rate; {_EXAMPLE}")
    return StepSchedule(tuple(pieces))


def _pieces(text: str) -> list[str]:
    """Return the pieces of a text without empty ones; raises ScheduleError for a comma in a number."""
    lines = [line.split(",") for line in re.split(r"[;\n]", numbers.bare(text))]
    pieces = [piece.strip() for line in lines for piece in line if piece.strip()]
    if len(pieces) > _MOST_PIECES:
        raise ScheduleError(f"a schedule of more than {_MOST_PIECES} rates is no learning rate; {_EXAMPLE}")
    for line in lines:
        for first, second in itertools.pairwise(line):
            reason = _comma_reason(first, second)
            if reason:
                raise ScheduleError(reason)
    return pieces


def _comma_reason(first: str, second: str) -> str:
    """Return what to tell where the comma between two pieces may stand within a number; else an empty text."""
    _, first_colon, end = first.partition(":")
    rate, second_colon, _ = second.partition(":")
    if not first_colon:
        return numbers.comma_reason(f"{first},{rate}")
    # In 1e-5:100,5e-6 the next rate follows an end; 1e-5:1,000 is more likely to mean step 1000 than a rate of 0.
    return "" if second_colon else numbers.thousands_reason(f"{end},{rate}")


def _pair(text: str, piece: str) -> tuple[float, int]:
    """Return rate and end of one `rate:end`; without an end, `_NO_END`."""
    rate_text, colon, end_text = piece.partition(":")
    try:
        rate = numbers.read(rate_text)
        end = numbers.read_whole(end_text) if colon else _NO_END
    except NumberError:
        raise ScheduleError(f"{shown(text)} is no learning rate; {_EXAMPLE}") from None
    if rate < 0:
        raise ScheduleError(f"{rate_text.strip()[:40]} in {shown(text)} is no learning rate; {_EXAMPLE}")
    return rate, end


def with_highest(text: str, rate: float, max_steps: int) -> str:
    """Return the text of a schedule with `rate` as the highest of a run of `max_steps`, the others in proportion.

    Raises:
        ScheduleError: the text is no schedule.
    """
    highest = max(one for one, _ in parse(text, max_steps).pieces)
    if not highest:
        return f"{rate:.2g}"
    pieces = parse(text, _FAR_OFF).pieces
    ends = ["" if end == _FAR_OFF else f":{end}" for _, end in pieces]
    return ",".join(f"{one / highest * rate:.2g}{end}" for (one, _), end in zip(pieces, ends, strict=True))


@schedule("steps", order=10, shapes_one_rate=False)
def as_written(request: ScheduleRequest) -> StepSchedule:
    """Return the learning rate as it is written."""
    return parse(request.settings.rate, request.steps)
