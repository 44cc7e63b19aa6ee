"""A job that is a study: trials of one job with other settings each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...base.errors import ErrorCollector
from ...base.options import convert
from ...train.settings.job import Job
from ...tuning.brain import most_trials
from ...tuning.plan import check
from ...tuning.space import Space, TuneSettings, parse, take_table
from ...tuning.space.originals import unread_choices
from ...tuning.space.settings import SECTION
from ..kind import QueuedJob, job_kind

#: The folder of the job file, in which files of settings are looked for too.
NEAR = "near"
_LENGTH = "train.max_steps"


@job_kind("tune", order=30)
@dataclass(frozen=True)
class TuneJob(QueuedJob):
    """A study on this machine.

    Attributes:
        tables: the job that is tried, as the tables of its file.
        job: the same, read.
        tune: what is tried, and how.
        near: folder in which files of settings are looked for too, by their names; empty where there is none.
    """

    has_parts: ClassVar[bool] = True
    tables: Mapping[str, Any]
    job: Job
    tune: TuneSettings
    near: str = ""

    @property
    def title(self) -> str:
        """The name of the study."""
        return self.job.output.name

    @property
    def units(self) -> int | None:
        """The steps of all trials; None where they depend on the dataset, or are tried themselves."""
        tried = parse(self.tune.ranges)
        if self.job.counts_epochs or self.tune.training_files or any(one.address == _LENGTH for one in tried):
            return None
        space = Space((*unread_choices(self.tune), *tried))
        return most_trials(self.tune, space) * self.job.steps(1)

    def to_mapping(self) -> dict[str, Any]:
        """Return the tables of a job file, with `[tune]`."""
        near = {NEAR: self.near} if self.near else {}
        return {**self.tables, SECTION: self.tune.to_mapping(), **near}

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> TuneJob:
        """Return the job of these tables; raises SettingsError, which names each wrong field as `section.key`."""
        own, checks = dict(tables), ErrorCollector()
        with checks:
            near = convert(NEAR, own.pop(NEAR, ""), str)
        with checks:
            tune = take_table(own)
            space = Space((*unread_choices(tune), *parse(tune.ranges)))
        with checks:
            job = Job.from_mapping({name: table for name, table in own.items() if name != SECTION})
        checks.raise_all()
        check(job, tune, space)  # it would fail when its turn comes
        return cls(own, job, tune, near)
