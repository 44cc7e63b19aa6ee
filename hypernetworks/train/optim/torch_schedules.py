"""Schedules of torch by the names of their classes, with arguments, as a table of the rates of a run."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from ...base.errors import ScheduleError, SettingsError
from ...base.outside import shown
from .arguments import check_known, parse_arguments
from .installed import Shelf
from .schedule import SCHEDULES, ScheduleKind, ScheduleRequest, check_numbers

SHELF = Shelf(
    setting="kind",
    what="schedules",
    packages={"torch.optim.lr_scheduler": "torch", "pytorch_optimizer": "pytorch-optimizer"},
    base=LRScheduler,
    home="torch.optim.lr_scheduler",
)
#: Parameters of every class that are not for the user to set.
_OURS = {"optimizer", "last_epoch", "verbose", "kwargs"}
#: Each step of one is computed from the step before, some 20 µs each.
MOST_STEPS = 200_000


@dataclass(frozen=True)
class RateTable:
    """The rate of every step of a run.

    Attributes:
        rates: by step; after the end the last one counts.
        end_step: None, as it has no end of its own.
    """

    rates: tuple[float, ...]
    end_step: None = None

    def rate(self, step: int) -> float:
        """Return the rate of `step`."""
        return self.rates[min(step, len(self.rates) - 1)]

    def is_end_of_cycle(self, step: int) -> bool:
        """Tell whether `step` is the last of the run, or the lowest before the rate rises again."""
        if step == len(self.rates) - 1:
            return True
        before, now, after = (self.rate(max(one, 0)) for one in (step - 1, step, step + 1))
        return now < before and now < after


def kind_of(name: str) -> ScheduleKind:
    """Return the kind of schedule of a name: one of `SCHEDULES`, or a class of torch or of a package on `SHELF`."""
    if name in SCHEDULES:
        return SCHEDULES[name]
    kind = ScheduleKind(name, order=0)
    kind.make = functools.partial(_make, name)
    return kind


def check_kind(field: str, name: str) -> None:
    """Raise SettingsError, which names `field`, for a name that no schedule has."""
    if name not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        reason = f"must be one of {known}, or a class of torch.optim.lr_scheduler, not {shown(name)}"
        SHELF.check(field, name, reason)


def check_arguments(name: str, text: str) -> None:
    """Raise SettingsError, which names `arguments`, for options that a schedule does not have."""
    if name in SCHEDULES:
        if text:
            raise SettingsError("arguments", f"are for a class of torch; {name} has fields of its own")
        return
    values, found = parse_arguments(text), SHELF.find(name)
    if found is not None:
        check_known(name, found, values, _OURS)


def _make(name: str, request: ScheduleRequest) -> RateTable:
    return RateTable(_rates(name, request.settings.arguments, request.max_rate, request.steps))


@functools.lru_cache(maxsize=8)
def _rates(name: str, arguments: str, rate: float, steps: int) -> tuple[float, ...]:
    """Return the rates of a run; raises ScheduleError where the class refuses, or asks for what nobody knows yet."""
    cls = SHELF.find(name)
    if cls is None:
        package = SHELF.place(name)[2]
        raise ScheduleError(f"{name} needs the package {package}, which is not installed or too old", "kind")
    if steps > MOST_STEPS:
        raise ScheduleError(f"{name} takes runs of at most {MOST_STEPS:,} steps, not {steps:,}", "kind")
    options = _options(name, cls, parse_arguments(arguments), rate, steps)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate, momentum=0.9)
    try:
        schedule = cls(optimizer, **options)
        optimizer.step()  # the order that torch wants to see
        rates = [float(optimizer.param_groups[0]["lr"])]
        for _ in range(steps - 1):
            schedule.step()
            rates.append(float(optimizer.param_groups[0]["lr"]))
    except Exception as error:  # whatever a class of others raises
        reason = f"{name} gives no rates for a run of {steps} steps: {error or type(error).__name__}"
        raise ScheduleError(reason, "arguments" if arguments else "kind") from error
    check_numbers(rate=min(rates))
    check_numbers(rate=max(rates))
    return tuple(rates)


def _options(name: str, cls: Any, values: dict[str, Any], rate: float, steps: int) -> dict[str, Any]:
    """Return the arguments of a class: those given, and what the run itself tells.

    Raises:
        ScheduleError: one is missing, or would change more than the rate.
    """
    known = inspect.signature(cls).parameters
    if values.get("cycle_momentum"):
        raise ScheduleError(
            f"cycle_momentum of {name} changes more than the rate, and only the rate is taken", "arguments"
        )
    told: dict[str, Any] = {"T_max": steps, "max_lr": rate, "cycle_momentum": False}
    if not {"epochs", "steps_per_epoch"} & values.keys():
        told["total_steps"] = steps
    options = {key: value for key, value in told.items() if key in known} | values
    missing = [
        key
        for key, one in known.items()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD and key not in {*options, *_OURS}
    ]
    if missing:
        raise ScheduleError(f"{name} needs {', '.join(missing)}", "arguments")
    return options
