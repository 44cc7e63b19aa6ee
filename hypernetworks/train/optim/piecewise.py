"""Multiples of the learning rate, each up to a step, as `piecewise_constant` of diffusers has them."""

from __future__ import annotations

from ...base.errors import ScheduleError
from ...base.options import setting
from ...base.outside import shown
from .schedule import RATE, ScheduleRequest, schedule
from .step_schedule import StepSchedule, parse

_RULES = setting(
    "",
    "Rate multiples",
    "Multiples of the learning rate with the step, or epoch, each ends at: 1:1000,0.1:2000,0.01. Empty: 1 for the "
    "first half of the run, then 0.1.",
    group=RATE,
)


@schedule("piecewise", order=55, options={"step_rules": _RULES}, epochs=("step_rules",))
def piecewise(request: ScheduleRequest) -> StepSchedule:
    """Return the pieces; the last multiple lasts to the end of the run."""
    text = request.settings.step_rules or f"1:{max(1, request.steps // 2)},0.1"
    try:
        pieces = parse(text, request.steps, request.steps_per_epoch).pieces
    except ScheduleError as error:
        example = "it must be multiples with the step each ends at, such as 1:1000,0.1"
        reason = (
            f"{shown(text)} has no multiples of a rate; {example}" if "learning rate" in error.reason else error.reason
        )
        raise ScheduleError(reason, "step_rules") from error
    ends = [*(end for _, end in pieces[:-1]), request.steps]
    return StepSchedule(tuple((request.max_rate * share, end) for (share, _), end in zip(pieces, ends, strict=True)))
