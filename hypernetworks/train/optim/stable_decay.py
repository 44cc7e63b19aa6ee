"""Warm-up, then a long stretch at the full rate, then a decay."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...base.errors import ScheduleError
from ...base.options import LENGTH, setting
from .schedule import RATE, WARMUP, ScheduleRequest, check_numbers, schedule

COSINE, LINEAR, ROOT = SHAPES = ("cosine", "linear", "1-sqrt")
#: Share of the run that decays where nobody says otherwise.
_SHARE = 0.1
_DECAY = {
    "decay_steps": setting(
        0,
        "Decay steps",
        "Steps of the decay at the end, or a length such as 2 epochs; 0 is a tenth of the run.",
        group=RATE,
        kind=LENGTH,
        starts_row=True,
        minimum=0,
        maximum=10_000_000,
    ),
    "decay_shape": setting(COSINE, "Decay shape", "How the rate falls at the end.", group=RATE, choices=SHAPES),
}


@dataclass(frozen=True)
class StableDecay:
    """A rate that rises to `max_rate`, stays, and falls to `min_rate` in the last steps.

    After Hu et al., MiniCPM (2024); the shape 1-sqrt is that of Hägele et al. (2024).

    Attributes:
        warmup, decay: steps of the rise and of the fall.
        steps: optimizer steps of the whole run.
        shape: one of `SHAPES`.
        end_step: None, as it has no end of its own.
    """

    max_rate: float
    min_rate: float
    warmup: int
    decay: int
    steps: int
    shape: str = COSINE
    end_step: None = None

    def __post_init__(self) -> None:
        check_numbers(max_rate=self.max_rate, min_rate=self.min_rate, warmup=self.warmup, decay_steps=self.decay)
        if self.min_rate > self.max_rate:
            raise ScheduleError(f"must not be above the learning rate of {self.max_rate:g}", "min_rate")
        if self.warmup >= self.steps:
            raise ScheduleError(f"must be shorter than the run of {self.steps} steps", "warmup")
        if self.warmup + self.decay > self.steps:
            raise ScheduleError(f"and the warm-up must not be longer than the run of {self.steps} steps", "decay_steps")

    def rate(self, step: int) -> float:
        """Return the rate of `step`."""
        return self.min_rate + (self.max_rate - self.min_rate) * self._share(step)

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last one of the run."""
        return step == self.steps - 1

    def _share(self, step: int) -> float:
        """Return the share of the full rate."""
        if step < self.warmup:
            return step / self.warmup
        fallen = min((step - (self.steps - self.decay)) / self.decay, 1.0) if self.decay else 0.0
        if fallen <= 0:
            return 1.0
        if self.shape == COSINE:
            return (1 + math.cos(math.pi * fallen)) / 2
        return 1 - (fallen if self.shape == LINEAR else math.sqrt(fallen))


@schedule("warmup_stable_decay", order=56, options={**WARMUP, **_DECAY}, lengths=("warmup", "decay_steps"))
def warmup_stable_decay(request: ScheduleRequest) -> StableDecay:
    """Return it for the length of the run."""
    settings, warmup = request.settings, request.length("warmup")
    decay = request.length("decay_steps") or min(max(1, round(request.steps * _SHARE)), max(request.steps - warmup, 0))
    return StableDecay(request.max_rate, settings.min_rate, warmup, decay, request.steps, settings.decay_shape)
