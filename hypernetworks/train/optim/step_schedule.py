"""The WebUI's schedule text: constant rates, each up to a given step."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from ...base import numbers
from ...base.errors import NumberError, ScheduleError, SettingsError
from ...base.intervals import counts_epochs, has_unit, parse_interval
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


def parse(text: str, max_steps: int, steps_per_epoch: int = 1) -> StepSchedule:
    """Return the schedule of the WebUI's text: `0.00004`, or `4e-05:2000,4e-06:4000`; -1 means the end of the run.

    An end may be a number of epochs, as in `4e-05:10 epochs`. Pieces behind the end of the run are ignored, as in the
    WebUI. A piece that no run could reach is refused, which the WebUI passes over: it is a mistake, such as a decimal
    comma.

    Raises:
        ScheduleError: the text is not such a schedule; names the piece.
    """
    pieces: list[tuple[float, int]] = []
    before, last = "", 0
    for piece in _pieces(text):
        rate, end = _pair(text, piece, steps_per_epoch)
        if last == _NO_END:
            raise ScheduleError(f"{piece} in {shown(text)} is never reached, as {before} before it has no end")
        if end != _NO_END and end <= last:
            why = f"it ends at step {end}, and step {last} is past before it"
            raise ScheduleError(f"{piece} in {shown(text)} is never reached, as {why}")
        if not pieces or pieces[-1][1] < max_steps:
            pieces.append((rate, max_steps if end == _NO_END else min(end, max_steps)))
        before, last = piece, end
    if not pieces:
        raise _no_rate(text)
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


def _pair(text: str, piece: str, steps_per_epoch: int) -> tuple[float, int]:
    """Return rate and end of one `rate:end`; without an end, `_NO_END`."""
    rate_text, colon, end_text = piece.partition(":")
    try:
        rate = numbers.read(rate_text)
        end = _end(end_text, steps_per_epoch) if colon else _NO_END
    except (NumberError, SettingsError):
        raise _no_rate(text) from None
    if rate < 0:
        raise ScheduleError(f"{rate_text.strip()[:40]} in {shown(text)} is no learning rate; {_EXAMPLE}")
    return rate, end


def _no_rate(text: str) -> ScheduleError:
    return ScheduleError(f"{shown(text)} is no learning rate; {_EXAMPLE}")


def _end(text: str, steps_per_epoch: int) -> int:
    return parse_interval("", text, steps_per_epoch) if has_unit(text) else numbers.read_whole(text)


def rates(text: str) -> list[float]:
    """Return all rates of a text that is a schedule, whatever the number of steps of an epoch is.

    Raises:
        ScheduleError: it is none.
    """
    if not counts_epochs(text):  # else the dataset decides which of two ends comes first
        parse(text, _FAR_OFF)
    pieces = _pieces(text)
    if not pieces:
        raise _no_rate(text)
    return [_pair(text, piece, 1)[0] for piece in pieces]


def with_highest(text: str, rate: float, max_steps: int | None) -> str:
    """Return the text of a schedule with `rate` as the highest of a run of `max_steps`, the others in proportion.

    Args:
        max_steps: None counts all rates, also those that the run may not reach.

    Raises:
        ScheduleError: the text is no schedule.
    """
    every = rates(text)
    reached = every if max_steps is None else [one for one, _ in parse(text, max_steps).pieces]
    if not max(reached):
        return f"{rate:.2g}"
    ends = ["".join(piece.partition(":")[1:]).removesuffix(":-1") for piece in _pieces(text)]
    return ",".join(f"{one / max(reached) * rate:.2g}{end}" for one, end in zip(every, ends, strict=True))


@schedule("steps", order=10, shapes_one_rate=False)
def as_written(request: ScheduleRequest) -> StepSchedule:
    """Return the learning rate as it is written."""
    return parse(request.settings.rate, request.steps, request.steps_per_epoch)
