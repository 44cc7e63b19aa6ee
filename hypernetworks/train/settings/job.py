"""Every setting of a training job, declared once. The form, the job file, the log and the metadata derive from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...base.errors import SettingsError
from ...base.options import Settings, from_tables
from ...data.settings import DataSettings
from ...network.settings import CreateSettings, NetworkSettings, ShapeSettings
from ..optim.schedules import Schedule
from .loss import LossSettings
from .optimizer import OptimizerSettings
from .output import OutputSettings, PreviewSettings
from .schedule import ScheduleSettings
from .training import TrainSettings

__all__ = [
    "SECTIONS",
    "CreateSettings",
    "DataSettings",
    "Job",
    "LossSettings",
    "NetworkSettings",
    "OptimizerSettings",
    "OutputSettings",
    "PreviewSettings",
    "ScheduleSettings",
    "ShapeSettings",
    "TrainSettings",
]


SECTIONS: dict[str, type[Settings]] = {
    "network": NetworkSettings,
    "data": DataSettings,
    "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings,
    "loss": LossSettings,
    "train": TrainSettings,
    "preview": PreviewSettings,
    "output": OutputSettings,
}


@dataclass(frozen=True)
class Job:
    """A whole training job: one settings object for each section of a job file."""

    network: NetworkSettings
    data: DataSettings
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    preview: PreviewSettings = field(default_factory=PreviewSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Job:
        """Return the job of the tables of a job file.

        Raises:
            SettingsError: names each wrong field as `section.key`; all of them at once.
        """
        known = ", ".join(SECTIONS)
        unknown = [
            SettingsError(name, f"there is no such section; known are {known}")
            for name in values
            if name not in SECTIONS
        ]
        job = cls(**from_tables(SECTIONS, values, unknown))
        if not job.schedule.counts_epochs:
            job.learning_rates()
        if job.output.save_best and not job.train.validation_share:
            raise SettingsError("output.save_best", "needs a train.validation_share to measure on")
        return job

    def learning_rates(self, steps_per_epoch: int = 1) -> Schedule:
        """Return the schedule of the run.

        Raises:
            SettingsError: it does not fit the length of the run; names the field.
        """
        try:
            return self.schedule.schedule(self.train.max_steps, steps_per_epoch)
        except SettingsError as error:
            raise error.within("schedule") from error

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """Return the job as the tables of a job file."""
        return {name: getattr(self, name).to_mapping() for name in SECTIONS}
