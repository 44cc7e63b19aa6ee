"""Schedules with a warm-up from transformers, as in other trainers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ...base.errors import ScheduleError
from ...base.options import setting
from ...base.registry import OwnOptions
from .schedule import RATE, WARMUP, ScheduleRequest, check_numbers, schedule

#: Our names, each with that of the function of `transformers.optimization`, which all its versions have.
KINDS = {
    "constant": "get_constant_schedule_with_warmup",
    "linear": "get_linear_schedule_with_warmup",
    "cosine": "get_cosine_schedule_with_warmup",
    "polynomial": "get_polynomial_decay_schedule_with_warmup",
    "cosine_with_restarts": "get_cosine_with_hard_restarts_schedule_with_warmup",
    "inverse_sqrt": "get_inverse_sqrt_schedule",
}
_ENDLESS = ("constant", "inverse_sqrt")
#: Steps over which the inverse square root falls, where there is no warm-up to tell it.
_TIMESCALE = 10_000


@dataclass(frozen=True)
class WarmupSchedule:
    """A rate that rises from `min_rate` to `max_rate` and then follows the curve called `kind`.

    Attributes:
        kind: one of `KINDS`.
        warmup: steps of the rise.
        steps: optimizer steps of the whole run.
        power: exponent of the polynomial curve.
        cycles: how often the cosine with restarts falls.
    """

    kind: str
    max_rate: float
    min_rate: float
    warmup: int
    steps: int
    power: float = 1.0
    cycles: int = 1

    def __post_init__(self) -> None:
        check_numbers(**{name: number for name, number in vars(self).items() if name != "kind"})
        if self.min_rate > self.max_rate:
            raise ScheduleError(f"must not be above the learning rate of {self.max_rate:g}", "min_rate")
        if self.warmup >= self.steps:
            raise ScheduleError(f"must be shorter than the run of {self.steps} steps", "warmup")

    def rate(self, step: int) -> float:
        """Return the rate of `step`."""
        share = _curve(self.kind, self.warmup, self.steps, self.power, self.cycles)(step)
        return self.min_rate + (self.max_rate - self.min_rate) * share

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last one of the run, or of a fall before the next one."""
        falls = self.warmup <= step < self.steps - 1
        return step == self.steps - 1 or (falls and self._cycle(step) < self._cycle(step + 1))

    @property
    def end_step(self) -> None:
        """The curve has no end of its own."""
        return

    def _cycle(self, step: int) -> int:
        """Return which fall `step` belongs to, from 0."""
        return (step - self.warmup) * self.cycles // (self.steps - self.warmup)


@functools.lru_cache(maxsize=16)
def _curve(kind: str, warmup: int, steps: int, power: float, cycles: int) -> Callable[[int], float]:
    """Return the share of the full rate at each step, as the library computes it for an optimizer with rate 1."""
    try:
        from transformers import optimization  # noqa: PLC0415 - heavy, and only these schedules need it
    except ImportError as error:
        raise ScheduleError(f"the schedule {kind} needs the package transformers") from error
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    options: dict[str, float] = {} if kind in _ENDLESS else {"num_training_steps": steps}
    if kind == "polynomial":
        options |= {"power": power, "lr_end": 0.0}
    elif kind == "cosine_with_restarts":
        options |= {"num_cycles": cycles}
    elif kind == "inverse_sqrt":
        options |= {"timescale": warmup or _TIMESCALE}
    return getattr(optimization, KINDS[kind])(optimizer, warmup, **options).lr_lambdas[0]


def _make(kind: str, request: ScheduleRequest) -> WarmupSchedule:
    settings = request.settings
    warmup = request.length("warmup")
    return WarmupSchedule(
        kind=kind,
        max_rate=request.max_rate,
        min_rate=settings.min_rate,
        warmup=warmup,
        steps=request.steps,
        power=settings.power,
        cycles=settings.cycles,
    )


#: Those that a curve has beside the warm-up.
_OWN: dict[str, OwnOptions] = {
    "polynomial": {
        "power": setting(1.0, "Power", "Exponent of the polynomial schedule.", group=RATE, minimum=0.1, maximum=10.0)
    },
    "cosine_with_restarts": {
        "cycles": setting(
            1,
            "Number of cycles",
            "How often cosine_with_restarts falls in a run.",
            group=RATE,
            minimum=1,
            maximum=10_000,
        )
    },
}
for place, name in enumerate(KINDS):
    options = {**WARMUP, **_OWN.get(name, {})}
    schedule(name, order=20 + place, options=options, lengths=("warmup",))(functools.partial(_make, name))
