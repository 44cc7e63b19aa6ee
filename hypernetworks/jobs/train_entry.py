"""The form for a training job while somebody fills it in: what is wrong in which field, and the rates as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..base.errors import DatasetError, SettingsError, WorkbenchError
from ..base.intervals import counts_epochs
from ..base.options import from_tables
from ..base.outside import shown_path
from ..data.dataset import held_out_count
from ..data.pictures.finding import find_pictures
from ..data.settings import DataSettings
from ..data.source import of_held_out
from ..pages.charts import Curve, draw_chart
from ..pages.sentences import in_page_words
from ..train.optim.own_rates import unused_rate
from ..train.optim.schedules import Schedule
from ..train.settings.job import SECTIONS, Job
from ..train.settings.optimizer import OptimizerSettings
from ..train.settings.schedule import ScheduleSettings
from ..train.settings.training import TrainSettings

LABELS = {f"{section}.{name}": option.label for section, kind in SECTIONS.items() for name, _, option in kind.options()}
_ADDRESS = re.compile(r"\b(" + "|".join(re.escape(address) for address in LABELS) + r")\b")
_POINTS = 400
#: Settings of a run that its number of steps depends on.
_COUNTED = ("max_steps", "gradient_accumulation", "validation_share")
#: Fields that are empty in an untouched form; that alone is not reported as a problem.
_TO_BE_FILLED_IN = ("data.folder", "output.name", "network.file")


@dataclass(frozen=True)
class PlannedRates:
    """The learning rates of a run.

    Attributes:
        schedule: the rate of each step.
        end_step: the step at which the run ends.
        steps_per_epoch: for the pictures that were counted; None where that was not needed.
        unused: a sentence where the optimizer does not use them, or an empty text.
    """

    schedule: Schedule
    end_step: int
    steps_per_epoch: int | None
    unused: str = ""

    def chart(self) -> Markup:
        """Return the rates over the steps as a chart in SVG; empty where they are not used."""
        if self.unused:
            return Markup()
        stride = max(1, self.end_step // _POINTS)
        steps = sorted({*range(0, self.end_step, stride), *self._corners(), self.end_step - 1})
        return draw_chart([Curve("learning rate", [(s, self.schedule.rate(s)) for s in steps])], None, self.end_step)

    def line(self) -> str:
        """Return length and rates of the run as a sentence."""
        first, last = self.schedule.rate(0), self.schedule.rate(self.end_step - 1)
        course = f"{first:.3g}" if first == last else f"{first:.3g} at first, {last:.3g} at last"
        if self.unused:
            return self.unused
        epochs = f" ({self.end_step / self.steps_per_epoch:.3g} epochs)" if self.steps_per_epoch else ""
        return f"{self.end_step} steps{epochs}; learning rate {course}."

    def _corners(self) -> list[int]:
        """Return the steps on both sides of each jump, so that it is vertical in a chart of few points."""
        pieces = getattr(self.schedule, "pieces", ())
        return [step for _, end in pieces for step in (end - 1, end) if step < self.end_step]


def problems(tables: Mapping[str, Mapping[str, Any]], of_rates: Sequence[SettingsError] = ()) -> dict[str, str]:
    """Return the reason for each field with a wrong value, in the words of the form, by `section.key`.

    Args:
        of_rates: what `planned_rates` found wrong.
    """
    errors = list(of_rates)
    try:
        Job.from_mapping(tables)
    except SettingsError as error:
        errors = [*error.errors, *errors]
    empty = {address for address in _TO_BE_FILLED_IN if not _entered(tables, address)}
    return {error.field: worded(error.reason) for error in reversed(errors) if error.field not in empty}


def planned_rates(tables: Mapping[str, Mapping[str, Any]]) -> PlannedRates:
    """Return the rates for the values entered; pictures are counted only where a length in epochs needs it.

    Raises:
        SettingsError: schedule, length or folder is wrong; names the field as `section.key`.
    """
    # Nothing else of the run makes a difference to the rates.
    counted = {name: value for name, value in tables["train"].items() if name in _COUNTED}
    settings = from_tables({"schedule": ScheduleSettings, "train": TrainSettings}, {**tables, "train": counted})
    schedule, train = settings["schedule"], settings["train"]
    per_epoch = None
    if schedule.counts_epochs or counts_epochs(train.max_steps):
        with _section("data"):
            data = DataSettings.from_mapping(tables["data"])
            if not data.folder:
                raise SettingsError("folder", "the pictures of other folders are counted by Check; this needs a folder")
            per_epoch = _epoch_steps(data, train, _count_pictures(data))
    with _section("train"):
        steps = train.steps(per_epoch or 1)
    with _section("schedule"):
        rates = schedule.schedule(steps, per_epoch or 1)
    return PlannedRates(rates, min(steps, rates.end_step or steps), per_epoch, _unused(tables.get("optimizer", {})))


def in_words(error: WorkbenchError) -> WorkbenchError:
    """Return the error with the labels of the form in place of each `section.key` in its sentences."""
    if isinstance(error, SettingsError):
        return error.reworded(worded)
    return type(error)(worded(str(error)))


def worded(text: str) -> str:
    """Return a text with the labels of the form in place of each `section.key`."""
    return in_page_words(_ADDRESS.sub(lambda address: f"“{LABELS[address[0]]}”", text), {})


@contextmanager
def _section(name: str) -> Iterator[None]:
    """Name the section in the fields of the errors inside."""
    try:
        yield
    except SettingsError as error:
        raise error.within(name) from error


def _unused(optimizer: Mapping[str, Any]) -> str:
    """Return a sentence where the optimizer that was entered does not use the rates."""
    defaults = OptimizerSettings()
    name, arguments = (optimizer.get(key, getattr(defaults, key)) for key in ("name", "arguments"))
    try:
        return unused_rate(name, arguments)
    except SettingsError:  # it is told at its own field
        return ""


def _entered(tables: Mapping[str, Mapping[str, Any]], address: str) -> Any:
    section, _, name = address.partition(".")
    return tables.get(section, {}).get(name)


def _epoch_steps(data: DataSettings, train: TrainSettings, pictures: int) -> int:
    """Return the optimizer steps of a pass over this many pictures, before any is opened: as if all had one size."""
    trained = (pictures - held_out_count(pictures, train.validation_share)) * data.repeats
    batch_count = -(-trained // data.batch_size)
    return -(-batch_count // train.gradient_accumulation)


def _count_pictures(data: DataSettings) -> int:
    """Return how many pictures there are, without those in a folder for validation within."""
    folder, held_out = (
        Path(data.folder),
        [Path(name).resolve() for one in of_held_out() if (name := getattr(data, one))],
    )
    try:
        found = find_pictures(folder).pictures
        count = len(found)
        if held_out:
            count -= sum(any(place in path.resolve().parents for place in held_out) for path in found)
    except DatasetError as error:
        raise SettingsError("folder", str(error)) from error
    if not count:
        raise SettingsError("folder", f"{shown_path(folder)} holds no picture")
    return count
