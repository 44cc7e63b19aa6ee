"""Saves during a run: numbered copies, the best one, the end, each with the state to continue from."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from .. import files
from ..base.errors import HypernetworkFileError, NonFiniteLossError
from ..data.source import SOURCES
from ..embedding import files as embedding_files
from ..network.file_forms import PRECISIONS
from ..network.hypernetwork import Metadata
from ..ports import Checkpoint
from .plan import TrainingPlan
from .settings.job import Job
from .state import TrainState
from .state_file import SavedRun, state_of, write_state
from .tracking.metrics import StepRecord
from .tracking.notes import Notes
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
        notes: takes what could not be saved.
        prediction: what the model predicts, "epsilon" or "v".
        listeners: told the path of each network and embedding that is saved, once its state is saved too.
    """

    plan: TrainingPlan
    checkpoint: Checkpoint
    state: TrainState
    validation: Validation
    resumable: Mapping[str, Resumable]
    step: int
    notes: Notes = field(default_factory=Notes)
    prediction: str = ""
    listeners: list[Callable[[Path], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        #: Metadata of the network before the run; steps are added to its step.
        self.first = replace(self.plan.network.metadata)
        if self.plan.resumed is not None:
            self.first.step = self.plan.resumed.first_step

        self._state_saved_s = time.monotonic()
        self._state_step = 0

    def is_due(self, step: int) -> bool:
        """Tell whether something may be saved after `step`, the step that the weights are of now."""
        output = self.plan.job.output
        seconds = output.state_minutes * 60
        if output.save_state and seconds and time.monotonic() - self._state_saved_s >= seconds:
            self._state_step = step
        is_best = output.save_best and self.validation.is_due(step)
        return step == self._state_step or is_best or self._is_numbered(step)

    def _is_numbered(self, step: int) -> bool:
        plan, every = self.plan, self.plan.intervals.save
        is_cycle_end = plan.job.output.save_at_cycle_end and plan.schedule.is_end_of_cycle(step - 1)
        return is_cycle_end or bool(every and step % every == 0)

    def after_step(self, record: StepRecord) -> None:
        """Save the copies that are due, and the state where its time has come."""
        self.step = record.step
        output, paths = self.plan.job.output, self.plan.paths
        copies = [paths.numbered(record.step)] if self._is_numbered(record.step) else []
        if output.save_best and self.validation.is_best(record.step):
            copies.append(paths.best)
        try:
            if copies:
                self.save(*copies)
                self._drop_old()
            elif record.step == self._state_step:
                self._check_weights(paths.running)
                self._save_state(paths.running)
        except NonFiniteLossError as error:  # the guard brings good weights back
            _log.warning("No copy was saved: %s", error)
        except HypernetworkFileError as error:  # there may be room again at the end
            self.notes.warn(f"The copy or the state of step {record.step} was not saved, and the run goes on: {error}")

    def save_copy(self) -> Path:
        """Save a numbered copy of the present step, due or not, and return its path; raises as `save` does."""
        path = self.plan.paths.numbered(self.step)
        self.save(path)
        self._drop_old()
        return path

    def save_state(self) -> bool:
        """Write the state of the present step where one is wanted and there is one; tell whether it was.

        Raises:
            NonFiniteLossError: a weight is not finite.
            HypernetworkFileError: the disk refuses it; the old one is intact.
        """
        if not self.plan.job.output.save_state or not self.step:
            return False
        self._check_weights(self.plan.paths.running)
        self._save_state(self.plan.paths.running)
        return True

    def save(self, *paths: Path) -> None:
        """Write the network to each path, and the state next to each if the settings say so.

        Raises:
            NonFiniteLossError: a weight is NaN or infinite; nothing was written.
            HypernetworkFileError: the disk refuses a file; the old one is intact.
        """
        for path in paths:
            self._save_network(path)
        # The state comes last: a run that continues from it does not repeat what was due at its step.
        if self.plan.job.output.save_state:
            for path in paths:
                self._save_state(state_of(path))
        self._tell(*paths)

    def save_result(self) -> None:
        """Write the network under its name, with its state; raises what `save` does.

        The state comes first, in a place of its own, so that Continue can write the network if this is cut short.
        """
        paths = self.plan.paths
        self._check_weights(paths.network)
        if self.plan.job.output.save_state:
            self._save_state(paths.running)
        self._save_network(paths.network)
        if self.plan.job.output.save_state:
            self._move_state(paths.running, paths.last_state)
        self._drop_old()
        self._tell(paths.network)

    def _tell(self, *paths: Path) -> None:
        every = (file for path in paths for file in (path, *self.plan.paths.embeddings_with(path)))
        for file in dict.fromkeys(every):  # without a network the first embedding is the path itself
            for listener in self.listeners:
                listener(file)

    def _check_weights(self, path: Path) -> None:
        if not all(torch.isfinite(weight).all() for weight in self.state.learner.parameters()):
            raise NonFiniteLossError(f"the weights are no longer finite; {path.name} was not written")

    def _save_network(self, path: Path) -> None:
        self._check_weights(path)
        network, metadata, dtype = self.state.network, self._metadata(), self._dtype()
        network.metadata = metadata
        path.parent.mkdir(parents=True, exist_ok=True)
        words = self.state.embeddings.tensors if self.state.embeddings else {}
        with self.state.weights_to_show():
            # Last comes the file that tells Continue whether the run has ended.
            for name, file in reversed(list(zip(words, self.plan.paths.embeddings_with(path), strict=True))):
                embedding_files.write(file, words[name], replace(metadata, name=name), dtype)
            if self.plan.job.embedding.trains_network:
                files.save(network, path, dtype=dtype)

    def _dtype(self) -> torch.dtype:
        """Return the dtype of the file: that of the settings, or float32 where a weight is too large for it."""
        dtype = PRECISIONS[self.plan.job.output.precision]
        if all(weight.to(dtype).isfinite().all() for weight in self.state.learner.parameters()):
            return dtype
        self.notes.warn(
            f"A weight is too large for {self.plan.job.output.precision}, so the network was saved in fp32."
        )
        return torch.float32

    def _move_state(self, source: Path, target: Path) -> None:
        try:
            source.replace(target)
            os.utime(target)  # a network that is newer than its state was written by somebody else
        except OSError:  # another disk, or a file that somebody has open
            self._save_state(target)
            if source != target:
                source.unlink(missing_ok=True)

    def _save_state(self, path: Path) -> None:
        progress = {name: callback.state() for name, callback in self.resumable.items()}
        optimizer = self.plan.job.optimizer.name
        captured, plan = self.state.capture(), self.plan
        saved = SavedRun(self.step, self.first.step, captured, optimizer, progress, plan.run, plan.origin)
        write_state(path, saved)
        self._state_saved_s = time.monotonic()

    def _metadata(self) -> Metadata:
        plan = self.plan
        training = {
            **self.first.training,
            "settings": plan.job.to_mapping(),
            "dataset": {"name": _dataset_name(plan.job), "pictures": len(plan.dataset)},
            "run": plan.run,
            "prediction": self.prediction,
            "parts": dict(self.checkpoint.parts),
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

    def _drop_old(self) -> None:
        keep = self.plan.job.output.keep_last
        if not keep:
            return
        for path in self.plan.paths.all_numbered()[:-keep]:
            try:
                # The state first: without its network nobody would find it to delete it later.
                for file in (state_of(path), *self.plan.paths.embeddings_with(path), path):
                    file.unlink(missing_ok=True)
            except OSError as error:  # somebody has it open; the next save tries again
                _log.warning("%s could not be deleted yet: %s", path.name, error.strerror or error)


def _dataset_name(job: Job) -> str:
    """Return the name of the first folder or file that the pictures come from."""
    named = ((source, getattr(job.data, source.name)) for source in SOURCES.values() if source.is_taught)
    return next(Path(source.first(text)).name for source, text in named if text)
