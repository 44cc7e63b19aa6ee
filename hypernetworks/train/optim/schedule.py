"""What a learning-rate schedule is. Each kind is one decorated function in a file of this room."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...base.errors import ScheduleError
from ...base.intervals import parse_interval
from ...base.options import Group, setting
from ...base.registry import OwnOptions, Registry

#: The fold of the form that options of schedules stand in.
RATE = Group("rate", "More about the learning rate")


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
class Asked:
    """What a schedule is made for.

    Attributes:
        settings: the `ScheduleSettings`, with the options of the schedule.
        max_rate: the learning rate, the first one where there are several.
        steps: optimizer steps of the run.
        steps_per_epoch: those of a pass over the pictures.
    """

    settings: Any
    max_rate: float
    steps: int
    steps_per_epoch: int

    def length(self, name: str) -> int:
        """Return the optimizer steps that an option among `lengths` means."""
        return parse_interval(name, getattr(self.settings, name), self.steps_per_epoch)


Make = Callable[[Asked], Schedule]
"""Makes a schedule; raises ScheduleError, with the field, for numbers that do not fit each other."""


@dataclass
class ScheduleKind:
    """A kind of schedule, and the decorator of the function that makes it.

    Attributes:
        name: in forms and job files.
        order: its place in the list; smaller ones come first.
        options: those that it has beside the learning rate, also where others have them too.
        lengths: the options among them that are a number of steps or epochs.
        shapes_one_rate: whether the learning rate must be one number.
        make: the decorated function.
    """

    name: str
    order: float
    options: OwnOptions = field(default_factory=dict)
    lengths: Sequence[str] = ()
    shapes_one_rate: bool = True
    make: Make = field(init=False)

    def __call__(self, make: Make) -> Make:
        """Take the kind into `SCHEDULES`."""
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
        "Steps in which the rate rises from the minimum, at each restart too.",
        group=RATE,
        minimum=0,
        maximum=1_000_000,
    ),
    "min_rate": setting(0.0, "Minimum rate", "Where the rate ends.", group=RATE, minimum=0.0, maximum=10.0),
}


def check_numbers(**numbers: float) -> None:
    """Raise ScheduleError, which names the field, for a number that is below 0, infinite or none."""
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise ScheduleError(f"must be a finite number, not {number}", name)
        if number < 0:
            raise ScheduleError(f"must be at least 0, not {number:g}", name)
