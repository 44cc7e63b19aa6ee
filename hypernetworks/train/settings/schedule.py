"""Settings of the learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...base.errors import ScheduleError, SettingsError
from ...base.intervals import parse_interval
from ...base.options import Group, Settings, setting
from ..optim import schedules, warmup_schedules

RATE = Group("rate", "More about the learning rate")
_RESTARTS = "cosine restarts"


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """The learning rate over the steps."""

    rate: str = setting(
        "0.00001", "Learning rate", "A number, or rates with the step each ends at: 4e-05:2000,4e-06:4000."
    )
    kind: str = setting(
        "steps",
        "Rate schedule",
        "steps keeps to the learning rate as it is written; the others shape one rate.",
        choices=("steps", *warmup_schedules.KINDS, _RESTARTS),
    )

    warmup: int = setting(
        0,
        "Warm-up steps",
        "Steps in which the rate rises from the minimum, at each restart too.",
        group=RATE,
        minimum=0,
        maximum=1_000_000,
    )
    min_rate: float = setting(0.0, "Minimum rate", "Where the rate ends.", group=RATE, minimum=0.0, maximum=10.0)
    power: float = setting(1.0, "Power", "Of the polynomial schedule.", group=RATE, minimum=0.1, maximum=10.0)
    cycle: str = setting(
        "0",
        "Cosine cycle",
        "Length of the first cycle in steps, warm-up included, or such as 10 epochs; 0 takes the whole run.",
        group=RATE,
        starts_row=True,
    )
    multiplier: float = setting(
        1.0,
        "Cycle multiplier",
        "Each cycle is this many times as long as the one before, warm-up included.",
        group=RATE,
        minimum=0.1,
        maximum=schedules.MAX_MULTIPLIER,
    )
    decay: float = setting(
        1.0, "Cycle decay", "Each cycle peaks at this share of the one before.", group=RATE, minimum=0.0, maximum=1.0
    )

    def problems(self) -> Iterator[SettingsError]:
        """Texts that are no rate and no cycle, and more than one rate where one is needed."""
        try:
            schedules.parse(self.rate, 1)
        except ScheduleError as error:
            yield SettingsError("rate", str(error))
        if self.kind != "steps" and ":" in self.rate:
            yield SettingsError("rate", f"must be one number for the schedule {self.kind}")
        try:
            parse_interval("cycle", self.cycle, 1)
        except SettingsError as error:
            yield error

    def schedule(self, max_steps: int, steps_per_epoch: int = 1) -> schedules.Schedule:
        """Return the schedule of a run of `max_steps` optimizer steps.

        Raises:
            SettingsError: the numbers do not fit each other; names the field.
        """
        steps = schedules.parse(self.rate, max_steps)
        if self.kind == "steps":
            return steps
        max_rate = steps.rate(0)
        cycle = parse_interval("cycle", self.cycle, steps_per_epoch) or max_steps
        try:
            if self.kind != _RESTARTS:
                return warmup_schedules.WarmupSchedule(
                    self.kind, max_rate, self.min_rate, self.warmup, max_steps, self.power
                )
            return schedules.CosineRestarts(cycle, self.multiplier, max_rate, self.min_rate, self.warmup, self.decay)
        except ScheduleError as error:
            raise SettingsError(error.field, error.reason) from error
