"""Settings of the learning rate."""

from __future__ import annotations

from dataclasses import dataclass

from ...base import numbers
from ...base.errors import ScheduleError, SettingsError
from ...base.intervals import counts_epochs, parse_interval
from ...base.options import Settings, setting
from ...base.registry import gather, rule, with_options
from ..optim import schedules
from ..optim.schedule import RATE, SCHEDULES, ScheduleRequest
from ..optim.torch_schedules import check_arguments, check_kind, kind_of


@dataclass(frozen=True)
@with_options(gather(kind.options for kind in SCHEDULES.values()), after="kind")
class ScheduleSettings(Settings):
    """The learning rate over the steps."""

    rate: str = setting(
        "0.00001",
        "Learning rate",
        "A number, or rates with the step each ends at: 4e-05:2000,4e-06:4000, or the epoch: 4e-05:10 epochs,4e-06.",
    )
    kind: str = setting(
        "steps",
        "Rate schedule",
        "steps uses the learning rate as it is written; the others vary a single rate. A class of torch can be typed, "
        "such as OneCycleLR.",
        choices=SCHEDULES,
        others=check_kind,
    )
    arguments: str = setting(
        "",
        "Schedule options",
        "Of a class of torch, such as T_0=500, T_mult=2. It learns the rate and the steps of the run by itself.",
        group=RATE,
        starts_row=True,
    )

    @rule("rate")
    def _rate_can_be_read(self) -> None:
        try:
            schedules.rates(self.rate)
        except ScheduleError as error:
            raise SettingsError("rate", str(error)) from error

    @rule("kind", "arguments")
    def _has_arguments(self) -> None:
        check_arguments(self.kind, self.arguments)

    @rule("rate", "kind")
    def _has_one_rate(self) -> None:
        if kind_of(self.kind).shapes_one_rate and ":" in numbers.plain(self.rate):
            raise SettingsError("rate", f"must be one number for the schedule {self.kind}")

    @rule(*(name for kind in SCHEDULES.values() for name in kind.lengths), each=True)
    def _is_length(self, name: str) -> None:
        parse_interval(name, getattr(self, name), 1)

    @property
    def counts_epochs(self) -> bool:
        """Whether a length is in epochs, so that the schedule depends on the dataset."""
        others = [getattr(self, name) for name in kind_of(self.kind).epochs]
        return any(counts_epochs(text) for text in (self.rate, *self._lengths().values(), *others))

    def _lengths(self) -> dict[str, str]:
        """Return the options that are a number of steps or epochs."""
        return {name: getattr(self, name) for kind in SCHEDULES.values() for name in kind.lengths}

    def schedule(self, max_steps: int, steps_per_epoch: int = 1) -> schedules.Schedule:
        """Return the schedule of a run of `max_steps` optimizer steps.

        Raises:
            SettingsError: the numbers do not fit each other; names the field.
        """
        try:
            rate = schedules.parse(self.rate, max_steps, steps_per_epoch).rate(0)
            return kind_of(self.kind).make(ScheduleRequest(self, rate, max_steps, steps_per_epoch))
        except ScheduleError as error:
            raise SettingsError(error.field or "rate", error.reason) from error
