"""The section `[tune]` of a job file: which settings are tried, how, how long, and what tells the best."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...base.errors import SettingsError
from ...base.intervals import parse_interval
from ...base.options import Group, Settings, from_tables, in_lines, setting
from ...base.registry import rule
from .reading import STUDY, entries

SECTION = STUDY
VALIDATION, STYLE, BOTH = "validation loss", "style distance", "both"
GRID, RANDOM, TPE = "grid", "random", "TPE"
NONE, MEDIAN, HYPERBAND = "none", "median", "Hyperband"
BUDGET = Group("budget", "Length of the study")
FILES = Group("files", "Files of the original extension")
_USUAL_TRIALS = 16


@dataclass(frozen=True)
class TuneSettings(Settings):
    """What a study tries, and how it finds the best."""

    ranges: str = setting(
        "",
        "Settings to try",
        "One a line: schedule.rate = 1e-4..1e-2 log, or network.activation = [relu, mish]. Ranges may be log, int, or "
        "have a step 0.1.",
        starts_row=True,
        lines=6,
    )
    method: str = setting(
        TPE,
        "Search",
        "grid tries every combination, random draws them, TPE learns from the trials before; it needs Optuna.",
        starts_row=True,
        choices=(GRID, RANDOM, TPE),
    )
    objective: str = setting(
        VALIDATION,
        "Judge by",
        "validation loss needs a validation share; style distance compares generated pictures with the dataset's in "
        "the VAE's latents; both keeps all that none beats in both.",
        choices=(VALIDATION, STYLE, BOTH),
    )
    pruning: str = setting(
        NONE,
        "Pruning",
        "Ends trials early that fall behind: median compares with half of the others, Hyperband gives few the whole "
        "length. It needs Optuna.",
        choices=(NONE, MEDIAN, HYPERBAND),
    )
    trials: int = setting(
        0,
        "Trials",
        f"The most there are; 0: every combination of a grid, else {_USUAL_TRIALS}.",
        starts_row=True,
        minimum=0,
        maximum=10_000,
    )
    seed: int = setting(
        0,
        "Study seed",
        "The same seed draws the same settings. The runs themselves keep their training seed.",
        minimum=0,
        maximum=2**63 - 1,
    )

    max_steps: int | str = setting(
        0,
        "Most steps",
        "No trial begins after so many optimizer steps of all together, or a length such as 200 epochs; 0: no limit.",
        group=BUDGET,
        minimum=0,
        maximum=1_000_000_000,
    )
    max_minutes: float = setting(
        0.0,
        "Most minutes",
        "No trial begins after so many minutes of all together; 0: no limit.",
        group=BUDGET,
        minimum=0.0,
        maximum=100_000.0,
    )
    grid_points: int = setting(
        3, "Points of a range", "How many values of each range a grid tries.", group=BUDGET, minimum=2, maximum=100
    )
    pictures: int = setting(
        16,
        "Pictures to judge",
        "How many are generated for a style distance; always the same prompts and seeds.",
        group=BUDGET,
        minimum=4,
        maximum=1024,
    )

    creation_files: str = setting(
        "",
        "Creation files",
        "Files of the original's creation settings, with commas between them; each makes a new network.",
        group=FILES,
        starts_row=True,
    )
    training_files: str = setting(
        "",
        "Training files",
        "Files of the original's training settings, with commas between them; every combination is tried.",
        group=FILES,
    )

    @rule("max_steps")
    def _ends(self) -> None:
        self.most_steps(1)

    @rule("pruning", "objective")
    def _prunes_by_one_number(self) -> None:
        if self.pruning != NONE and self.objective == BOTH:
            reason = "goes by one number; judge by validation loss or style distance, or choose none"
            raise SettingsError("pruning", reason)

    @rule("ranges", "creation_files", "training_files")
    def _tries_something(self) -> None:
        if not (self._has_ranges or self.creation_files or self.training_files):
            raise SettingsError("ranges", "name at least one setting to try, such as schedule.rate = 1e-4..1e-2 log")

    @property
    def only_files(self) -> bool:
        """Whether nothing but files of the original extension is tried."""
        return not self._has_ranges

    @property
    def search(self) -> str:
        """How the next trial is found, one of the choices of `method`; files alone are tried in every combination."""
        return GRID if self.only_files else self.method

    @property
    def _has_ranges(self) -> bool:
        return any(True for _ in entries(self.ranges))

    @property
    def most_trials(self) -> int:
        """The most trials of a method that does not end by itself."""
        return self.trials or _USUAL_TRIALS

    def most_steps(self, steps_per_epoch: int) -> int:
        """Return the steps of all trials after which none begins, where a pass over the dataset has this many; 0: none.

        Raises:
            SettingsError: it is no length.
        """
        return parse_interval("max_steps", self.max_steps, steps_per_epoch)

    @property
    def objectives(self) -> tuple[str, ...]:
        """What is measured at the end of each trial, in the order of its values; less is better."""
        return (VALIDATION, STYLE) if self.objective == BOTH else (self.objective,)


def take_table(tables: dict[str, Any], more: Mapping[str, Any] | None = None) -> TuneSettings:
    """Take the section out of the tables of a job file, with `more` put over it.

    What is to be tried may be lines, or a table `[tune.ranges]` with a text or a list for each setting.

    Raises:
        SettingsError: names each wrong field as `tune.key`.
    """
    table = tables.pop(SECTION, {})
    if isinstance(table, Mapping):
        table = {**table, **(more or {})}
        if "ranges" in table:
            table["ranges"] = ranges_text(table["ranges"])
    made: TuneSettings = from_tables({SECTION: TuneSettings}, {SECTION: table})[SECTION]
    return made


def ranges_text(ranges: Any) -> Any:
    """Return what is to be tried as lines, which may be a table in a job file; anything else as it is."""
    return "\n".join(_lines("", ranges)) if isinstance(ranges, Mapping) else in_lines(ranges)


def _lines(place: str, table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        address = f"{place}.{key}" if place else str(key)
        if isinstance(value, Mapping):
            yield from _lines(address, value)
        else:
            yield f"{address} = {value if isinstance(value, str) else to_toml(value)}"


def to_toml(value: Any) -> str:
    """Return a plain value as TOML; texts in it are in quotes."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(to_toml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return getattr(value, "typed", None) or repr(value)
