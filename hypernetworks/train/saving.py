"""Saves during a run: numbered copies, the best one, the end, each with the state to continue from."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from .. import files
from ..base.errors import NonFiniteLossError
from ..data.source import SOURCES
from ..network.hypernetwork import Metadata
from ..ports import Checkpoint
from .plan import TrainingPlan
from .settings.job import Job
from .state import TrainState
from .state_file import SUFFIX, SavedRun, write_state
from .tracking.metrics import StepRecord
from .validation import Validation

_log = logging.getLogger(__name__)


class Resumable(Protocol):
    """A callback whose history is needed to continue a run."""

    def state(self) -> dict[str, Any]:
        """Return the history as plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the history."""


@dataclass
class Saver:
    """Writes the network and the state of the run.

    Attributes:
        checkpoint: the model that the network is trained on.
        resumable: callbacks whose history goes into the state, by name.
        step: optimizer steps done so far.
    """

    plan: TrainingPlan
    checkpoint: Checkpoint
    state: TrainState
    validation: Validation
    resumable: Mapping[str, Resumable]
    step: int

    def __post_init__(self) -> None:
        #: Metadata of the network before the run; steps are added to its step.
        self.first = replace(self.plan.network.metadata)
        if self.plan.resumed is not None:
            self.first.step = self.plan.resumed.first_step

    def is_due(self, step: int) -> bool:
        """Tell whether something may be saved after `step`."""
        return self._is_numbered(step) or (self.plan.job.output.save_best and self.validation.is_due(step))

    def _is_numbered(self, step: int) -> bool:
        plan, every = self.plan, self.plan.intervals.save
        is_cycle_end = plan.job.output.save_at_cycle_end and plan.schedule.is_end_of_cycle(step - 1)
        return is_cycle_end or bool(every and step % every == 0)

    def after_step(self, record: StepRecord) -> None:
        """Save a numbered copy or the best one where one is due."""
        self.step = record.step
        paths = self.plan.paths
        if self._is_numbered(record.step):
            self._save_unless_broken(paths.numbered(record.step))
            self._drop_old()
        if self.plan.job.output.save_best and self.validation.is_best(record.step):
            self._save_unless_broken(paths.best)

    def save(self, path: Path) -> None:
        """Write the network to `path`, and the state next to it if the settings say so.

        Raises:
            NonFiniteLossError: a weight is NaN or infinite; nothing was written.
            HypernetworkFileError: the disk refuses the file; the old one is intact.
        """
        network = self.state.network
        if not all(torch.isfinite(weight).all() for weight in network.parameters()):
            raise NonFiniteLossError(f"the weights are no longer finite; {path.name} was not written")
        network.metadata = self._metadata()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.state.weights_to_show():
            files.save(network, path)
        if self.plan.job.output.save_state:
            self.save_state(path)

    def save_state(self, path: Path) -> None:
        """Write the state of the run next to the network at `path`."""
        progress = {name: callback.state() for name, callback in self.resumable.items()}
        saved = SavedRun(self.step, self.first.step, self.state.capture(), self.plan.job.optimizer.name, progress)
        write_state(path.with_name(path.name + SUFFIX), saved)

    def _metadata(self) -> Metadata:
        plan = self.plan
        training = {
            **self.first.training,
            "settings": plan.job.to_mapping(),
            "dataset": {"name": _dataset_name(plan.job), "pictures": len(plan.dataset)},
            "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        return replace(
            self.first,
            name=plan.job.output.name,
            step=self.first.step + self.step,
            sd_checkpoint=self.checkpoint.short_hash,
            sd_checkpoint_name=self.checkpoint.name,
            training=training,
        )

    def _save_unless_broken(self, path: Path) -> None:
        """Save a copy, but not if weights are not finite; a roll-back will restore them."""
        try:
            self.save(path)
        except NonFiniteLossError as error:
            _log.warning("No copy was saved: %s", error)

    def _drop_old(self) -> None:
        keep = self.plan.job.output.keep_last
        if not keep:
            return
        for path in self.plan.paths.all_numbered()[:-keep]:
            path.unlink(missing_ok=True)
            path.with_name(path.name + SUFFIX).unlink(missing_ok=True)


def _dataset_name(job: Job) -> str:
    """Return the name of the first folder or file that the pictures come from."""
    named = ((source, getattr(job.data, source.name)) for source in SOURCES.values() if source.is_taught)
    return next(Path(source.first(text)).name for source, text in named if text)
