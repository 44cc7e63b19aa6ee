"""Learning-rate schedules: their interface and registry. Each kind is one decorated function in a file of this room."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...base.errors import ScheduleError
from ...base.intervals import parse_interval
from ...base.options import LENGTH, Group, setting
from ...base.registry import OwnOptions, Registry

#: The fold of the form for the options of schedules.
RATE = Group("rate", "More about the learning rate")


class Schedule(Protocol):
    """A learning rate for every optimizer step."""

    def rate(self, step: int) -> float:
        """Return the rate of step 0, 1, 2, ..."""

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last of a cycle, when the network is usually best."""

    @property
    def end_step(self) -> int | None:
        """The step at which the schedule ends, or None if it never does."""


@dataclass(frozen=True)
class ScheduleRequest:
    """What a schedule is made from.

    Attributes:
        settings: the `ScheduleSettings`, with the options of the schedule.
        max_rate: the learning rate; the first if there are several.
        steps: optimizer steps of the run.
        steps_per_epoch: optimizer steps of a pass over the pictures.
    """

    settings: Any
    max_rate: float
    steps: int
    steps_per_epoch: int

    def length(self, name: str) -> int:
        """Return the value of an option in `lengths` in optimizer steps."""
        return parse_interval(name, getattr(self.settings, name), self.steps_per_epoch)


Make = Callable[[ScheduleRequest], Schedule]
"""Returns a schedule; raises ScheduleError, with the field, for numbers that do not fit each other."""


@dataclass
class ScheduleKind:
    """A kind of schedule, and the decorator of its function.

    Attributes:
        name: its name in forms and job files.
        order: position in the list; smaller numbers come first.
        options: all its options besides the learning rate, also those that other kinds have too.
        lengths: names of the options that are a number of steps or epochs.
        epochs: names of the other options in which a length in epochs may stand.
        shapes_one_rate: whether the learning rate must be one number.
        make: the decorated function.
    """

    name: str
    order: float
    options: OwnOptions = field(default_factory=dict)
    lengths: Sequence[str] = ()
    epochs: Sequence[str] = ()
    shapes_one_rate: bool = True
    make: Make = field(init=False)

    def __call__(self, make: Make) -> Make:
        """Add the kind to `SCHEDULES`."""
        self.make = make
        SCHEDULES.add(self.name, self, self.order)
        return make


schedule = ScheduleKind
SCHEDULES: Registry[ScheduleKind] = Registry(room=__package__)
"""All kinds of schedules by name."""

#: Options that several schedules have.
WARMUP: OwnOptions = {
    "warmup": setting(
        0,
        "Warm-up steps",
        "Steps during which the rate rises from the minimum, also at each restart, or a length such as 1 epoch.",
        group=RATE,
        kind=LENGTH,
        minimum=0,
        maximum=1_000_000,
    ),
    "min_rate": setting(0.0, "Minimum rate", "The rate at the end.", group=RATE, minimum=0.0, maximum=10.0),
}


def check_numbers(**numbers: float) -> None:
    """Raise ScheduleError, which names the field, for a number that is negative, infinite or NaN."""
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise ScheduleError(f"must be a finite number, not {number}", name)
        if number < 0:
            raise ScheduleError(f"must be at least 0, not {number:g}", name)
