"""A job that merges networks into one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...base.options import Settings
from ...merge.saving import ResultSettings
from ...merge.settings import MergeSettings
from ..kind import QueuedJob, job_kind, settings_of

_SECTIONS: dict[str, type[Settings]] = {"merge": MergeSettings, "result": ResultSettings}


@job_kind("merge", order=40)
@dataclass(frozen=True)
class MergeJob(QueuedJob):
    """Networks of the host's list, made into one.

    Attributes:
        merge: the networks with their weights, and the method.
        result: the file to write.
    """

    merge: MergeSettings
    result: ResultSettings

    @property
    def title(self) -> str:
        """The name of the result."""
        return self.result.name

    @property
    def units(self) -> int:
        """One: all merges take about the same time."""
        return 1

    @property
    def values(self) -> dict[str, Any]:
        """The values of the form, by name."""
        return {**self.merge.to_mapping(), **self.result.to_mapping()}

    def to_mapping(self) -> dict[str, Any]:
        """Return the tables `[merge]` and `[result]`."""
        return {"merge": self.merge.to_mapping(), "result": self.result.to_mapping()}

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> MergeJob:
        """Return the job of these tables; raises SettingsError, which names each wrong field as `section.key`."""
        return cls(**settings_of(_SECTIONS, tables))
