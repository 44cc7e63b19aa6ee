"""The whole state of a run, in memory for a roll-back and on disk to continue from.

Random generators are not part of it: every draw of a run is addressed by seed and step (see `randomness`), so the step
number alone gives noise, timesteps, dropout, captions and order back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import files
from ..base.atomic import atomic_write
from ..base.errors import HypernetworkFileError, TrainingError
from ..files import torch_writer
from ..network.hypernetwork import Hypernetwork
from ..ports import Denoiser
from .offload import OptimizerOnCpu
from .optim import optimizers
from .optim.averages import WeightAverage, weights_to_show
from .optim.precision import Precision
from .settings.job import Job

_log = logging.getLogger(__name__)

SUFFIX = ".state"
_VERSION = 1
_KEYS = {"step", "first_step", "learner", "optimizer_name", "progress"}


@dataclass
class TrainState:
    """All that changes from step to step: weights, optimizer state, loss scale, average, learning rate factor.

    Attributes:
        average: the average of the weights, or None.
        rate_factor: factor of the learning rate after roll-backs.
    """

    network: Hypernetwork
    optimizer: torch.optim.Optimizer
    precision: Precision
    average: WeightAverage | None = None
    rate_factor: float = 1.0

    def weights_to_show(self) -> AbstractContextManager[None]:
        """Return a context in which the network has the weights to save and show instead of those being trained."""
        return weights_to_show(self.network, self.optimizer, self.average)

    def capture(self) -> dict[str, Any]:
        """Return a copy of everything, on the CPU."""
        return _copied(
            {
                "network": dict(self.network.named_parameters()),
                "optimizer": self.optimizer.state_dict(),
                "precision": self.precision.state_dict(),
                "average": self.average.state_dict() if self.average else {},
                "rate_factor": self.rate_factor,
            }
        )

    def restore(self, captured: Mapping[str, Any]) -> None:
        """Restore everything.

        Raises:
            TrainingError: it is the state of another network, optimizer or average.
        """
        if bool(captured["average"]) != bool(self.average):
            raise TrainingError("the saved state was made with another train.ema_decay; set it as it was")
        try:
            with torch.no_grad():
                for name, weight in self.network.named_parameters():
                    weight.copy_(captured["network"][name])
            self.optimizer.load_state_dict(_copied(captured["optimizer"]))
        except (KeyError, RuntimeError, ValueError) as error:
            raise TrainingError("the saved state belongs to another network or optimizer; start anew") from error
        self.precision.load_state_dict(captured["precision"])
        if self.average:
            self.average.load_state_dict(captured["average"])
        self.rate_factor = captured["rate_factor"]

    def read_optimizer_file(self, network: Path, optimizer_name: str) -> None:
        """Take over the optimizer state that the WebUI keeps next to the file `network`, if there is one that fits.

        Raises:
            HypernetworkFileError: the file cannot be read.
        """
        found = files.load_optimizer_state(files.optimizer_path(network), files.short_hash(network))
        if found is None:
            return
        name, state = found
        if name != optimizer_name:
            _log.warning("The saved optimizer state is of %s and was not used.", name)
            return
        try:
            self.optimizer.load_state_dict(state)
        except (ValueError, KeyError) as error:
            _log.warning("The saved optimizer state does not fit and was not used: %s", error)
        else:
            _log.info("Going on with the optimizer state beside %s.", network.name)


@dataclass(frozen=True)
class SavedRun:
    """The content of a state file.

    Attributes:
        step: optimizer steps done.
        captured: what `TrainState.capture` returned.
        first_step: steps the network had been trained for before the run.
        optimizer_name: name of the optimizer the state belongs to.
        progress: histories of the callbacks, by name.
    """

    step: int
    first_step: int
    captured: dict[str, Any]
    optimizer_name: str
    progress: dict[str, Any]


def make_state(job: Job, network: Hypernetwork, denoiser: Denoiser) -> TrainState:
    """Return the state of step 0: `network` on the device of the model, with a new optimizer."""
    network = network.to(denoiser.device)
    build = partial(optimizers.build, name=job.optimizer.name, arguments=job.optimizer.arguments)
    weights = network.parameters()
    optimizer = OptimizerOnCpu(weights, build) if job.train.optimizer_on_cpu else build(weights)
    average = WeightAverage(network, job.train.ema_decay) if job.train.ema_decay else None
    return TrainState(network, optimizer, Precision(job.train.precision, denoiser.device, denoiser.dtype), average)


def write_state(path: Path, saved: SavedRun) -> None:
    """Write a state file, whole or not at all; raises HypernetworkFileError."""
    content = {
        "version": _VERSION,
        "step": saved.step,
        "first_step": saved.first_step,
        "learner": saved.captured,
        "optimizer_name": saved.optimizer_name,
        "progress": saved.progress,
    }
    with atomic_write(path) as file:
        torch_writer.write(file, content)


def read_state(path: Path) -> SavedRun:
    """Read a state file without executing anything.

    Raises:
        HypernetworkFileError: the file cannot be read, or is no state file of this version.
    """
    content = files.read_plain(path)
    if not isinstance(content, dict) or content.get("version") != _VERSION or not content.keys() >= _KEYS:
        raise HypernetworkFileError(f"{path.name}: this is no saved state of a run that this version can go on with")
    return SavedRun(
        step=content["step"],
        first_step=content["first_step"],
        captured=content["learner"],
        optimizer_name=content["optimizer_name"],
        progress=content["progress"],
    )


def newest_state(candidates: Iterable[Path]) -> SavedRun | None:
    """Return the state with the most steps, or None; an unreadable file is an error only if there is no other."""
    newest: SavedRun | None = None
    failure: HypernetworkFileError | None = None
    for path in candidates:
        try:
            saved = read_state(path)
        except HypernetworkFileError as error:
            failure = error
            continue
        if newest is None or saved.step > newest.step:
            newest = saved
    if newest is None and failure is not None:
        raise failure
    return newest


def _copied(value: Any) -> Any:
    """Return a copy of nested containers, with every tensor on the CPU and apart from the live one."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(part) for part in value)
    return value
