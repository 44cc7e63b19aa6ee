"""Jobs that train: a network that there is, a new one, or a run that goes on from its saved state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...base.errors import ErrorCollector, SettingsError
from ...base.numbers import read_whole
from ...network.settings import CreateSettings
from ...train.settings.job import Job
from ..kind import QueuedJob, job_kind

_CREATE, _DONE_BEFORE = "create", "done_before"


@job_kind("train", order=10)
@dataclass(frozen=True)
class TrainJob(QueuedJob):
    """A training run.

    Attributes:
        job: its settings. Without a file of a network it makes a new one first.
        create: the file to make first, which is then trained, in place of what `job` says of its network.
    """

    job: Job
    create: CreateSettings | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError where a network would be made that is not trained."""
        if self.create is not None and not self.job.embedding.trains_network:
            raise SettingsError("embedding.trains", "trains no network, so none is to be made first; choose another")

    @property
    def title(self) -> str:
        """The name of the network."""
        return self.job.output.name

    @property
    def units(self) -> int | None:
        """Its steps; None where they depend on the dataset."""
        return None if self.job.counts_epochs else self.job.steps(1)

    @property
    def is_new(self) -> bool:
        """Whether the network is made first."""
        return self.job.embedding.trains_network and (self.create is not None or not self.job.network.file)

    def on(self, file: str) -> Job:
        """Return the settings of the run on the network in `file`."""
        return replace(self.job, network=replace(self.job.network, file=file))

    def to_mapping(self) -> dict[str, Any]:
        """Return the tables of a job file, with `[create]` where a file is made first."""
        create = {_CREATE: self.create.to_mapping()} if self.create else {}
        return {**self.job.to_mapping(), **create}

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> TrainJob:
        """Return the job of these tables; raises SettingsError, which names each wrong field as `section.key`."""
        checks = ErrorCollector()
        create = None
        with checks:
            create = _create_of(tables.get(_CREATE))
        with checks:
            job = Job.from_mapping({name: table for name, table in tables.items() if name != _CREATE})
        checks.raise_all()
        return cls(job, create)


@job_kind("continue", order=20)
@dataclass(frozen=True)
class ContinueJob(QueuedJob):
    """A run that goes on from its saved state.

    Attributes:
        job: its settings.
        done_before: the steps that were done when it came into the queue, for the estimate.
    """

    job: Job
    done_before: int = 0

    @property
    def title(self) -> str:
        """The name of the network."""
        return self.job.output.name

    @property
    def units(self) -> int | None:
        """The steps that it goes on for; None where they depend on the dataset."""
        return None if self.job.counts_epochs else max(1, self.job.steps(1) - self.done_before)

    def to_mapping(self) -> dict[str, Any]:
        """Return the tables of a job file, with `done_before`."""
        return {**self.job.to_mapping(), _DONE_BEFORE: self.done_before}

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> ContinueJob:
        """Return the job of these tables; raises SettingsError, which names each wrong field as `section.key`."""
        job = Job.from_mapping({name: table for name, table in tables.items() if name != _DONE_BEFORE})
        try:
            done = read_whole(tables.get(_DONE_BEFORE, 0))
        except ValueError as error:
            raise SettingsError(_DONE_BEFORE, str(error)) from error
        return cls(job, max(0, done))


def _create_of(table: Any) -> CreateSettings | None:
    if table is None:
        return None
    try:
        return CreateSettings.from_mapping(table)
    except SettingsError as error:
        raise error.within(_CREATE) from error
