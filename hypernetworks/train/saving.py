"""Saves while a run goes on: numbered copies, the best one, the end, each with the state that Continue needs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from .. import files
from ..base.errors import NonFiniteLossError
from ..network.hypernetwork import Metadata
from ..ports import Ports
from .optim.averages import weights_to_show
from .optim.schedules import Schedule
from .paths import OutputPaths
from .settings.job import Job
from .state import SUFFIX, SavedRun, TrainState, write_state
from .tracking.metrics import StepRecord
from .validation import Validation

_log = logging.getLogger(__name__)


class Remembered(Protocol):
    """A callback whose history Continue needs."""

    def state(self) -> dict[str, Any]:
        """Plain values."""


@dataclass
class Saver:
    """Writes the network and the state of the run.

    Attributes:
        first: metadata the network came with; its step counts on.
        every: optimizer steps between numbered copies; 0 for none.
        remembered: callbacks whose history goes into the state, by name.
        dataset: name and size of the dataset, for the metadata.
        step: optimizer steps done so far.
    """

    job: Job
    ports: Ports
    paths: OutputPaths
    state: TrainState
    first: Metadata
    every: int
    schedule: Schedule
    validation: Validation
    remembered: Mapping[str, Remembered]
    dataset: Mapping[str, Any]
    step: int = 0

    def is_due(self, step: int) -> bool:
        """Tell whether something may be saved after `step`."""
        return self._is_numbered(step) or (self.job.output.save_best and self.validation.is_due(step))

    def _is_numbered(self, step: int) -> bool:
        is_cycle_end = self.job.output.save_at_cycle_end and self.schedule.is_end_of_cycle(step - 1)
        return is_cycle_end or bool(self.every and step % self.every == 0)

    def after_step(self, record: StepRecord) -> None:
        """Save a numbered copy or the best one when the step has come."""
        self.step = record.step
        output = self.job.output
        if self._is_numbered(record.step):
            self._unless_broken(lambda: self.save(self.paths.numbered(record.step)))
            self._drop_old()
        if output.save_best and self.validation.is_best(record.step):
            self._unless_broken(lambda: self.save(self.paths.best))

    def save(self, path: Path) -> None:
        """Write the network to `path`, and the state beside it where the settings ask for that.

        Raises:
            NonFiniteLossError: a weight is NaN or infinite; nothing was written.
            HypernetworkFileError: the disk refuses the file; the old one is whole.
        """
        network = self.state.network
        if not all(torch.isfinite(weight).all() for weight in network.parameters()):
            raise NonFiniteLossError(f"the weights are no finite numbers any more; {path.name} was not written")
        network.metadata = self._metadata()
        path.parent.mkdir(parents=True, exist_ok=True)
        with weights_to_show(network, self.state.optimizer, self.state.average):
            files.save(network, path)
        if self.job.output.save_state:
            self.save_state(path)

    def save_state(self, path: Path) -> None:
        """Write the state of the run beside the network at `path`."""
        progress = {name: callback.state() for name, callback in self.remembered.items()}
        saved = SavedRun(self.step, self.first.step, self.state.capture(), self.job.optimizer.name, progress)
        write_state(path.with_name(path.name + SUFFIX), saved)

    def _metadata(self) -> Metadata:
        checkpoint = self.ports.checkpoint
        training = {
            **self.first.training,
            "settings": self.job.to_mapping(),
            "dataset": dict(self.dataset),
            "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        return replace(
            self.first,
            name=self.job.output.name,
            step=self.first.step + self.step,
            sd_checkpoint=checkpoint.short_hash,
            sd_checkpoint_name=checkpoint.name,
            training=training,
        )

    def _unless_broken(self, save: Callable[[], None]) -> None:
        """Return a copy that must not be made of broken weights is left out; the guard brings good ones back."""
        try:
            save()
        except NonFiniteLossError as error:
            _log.warning("No copy was saved: %s", error)

    def _drop_old(self) -> None:
        keep = self.job.output.keep_last
        if not keep:
            return
        for path in self.paths.all_numbered()[:-keep]:
            path.unlink(missing_ok=True)
            path.with_name(path.name + SUFFIX).unlink(missing_ok=True)
