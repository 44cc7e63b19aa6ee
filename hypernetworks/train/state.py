"""The whole state of a run, in memory for a roll-back and on disk for Continue.

Random generators are not part of it: every draw of a run is addressed by seed and step (see `randomness`), so the step
number alone gives noise, timesteps, dropout, captions and order back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..base.atomic import atomic_write
from ..base.errors import HypernetworkFileError, TrainingError
from ..files import read_plain, torch_writer
from ..network.hypernetwork import Hypernetwork
from .optim.averages import WeightAverage
from .optim.precision import Precision

SUFFIX = ".state"
_VERSION = 1
#: Keys of the file that are called otherwise than the field of `SavedRun`.
_KEYS = {"learner": "captured"}


@dataclass
class TrainState:
    """All that changes from step to step: weights, optimizer state, loss scale, average, learning rate factor.

    Attributes:
        average: of the weights, or None.
        rate_factor: what roll-backs have left of the learning rate.
    """

    network: Hypernetwork
    optimizer: torch.optim.Optimizer
    precision: Precision
    average: WeightAverage | None = None
    rate_factor: float = 1.0

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
        """Take everything back.

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


@dataclass(frozen=True)
class SavedRun:
    """What a state file holds.

    Attributes:
        step: optimizer steps done.
        captured: what `TrainState.capture` gave.
        first_step: steps the network had been trained for before the run.
        optimizer_name: name of the optimizer the state belongs to.
        progress: losses and the like of the callbacks that asked to be remembered, by name.
    """

    step: int
    first_step: int
    captured: dict[str, Any]
    optimizer_name: str
    progress: dict[str, Any]


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
        HypernetworkFileError: the file cannot be read, or is none of ours.
    """
    content = read_plain(path)
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise HypernetworkFileError(f"{path.name}: this is no saved state of a run that this version can go on with")
    fields = {_KEYS.get(key, str(key)): value for key, value in content.items() if key != "version"}
    return SavedRun(**fields)


def find_state(candidates: list[Path]) -> Path | None:
    """Return the state file with the most steps, or None; unreadable ones only count where there is no other."""
    best: tuple[int, Path] | None = None
    failure: HypernetworkFileError | None = None
    for path in candidates:
        try:
            step = read_state(path).step
        except HypernetworkFileError as error:
            failure = error
            continue
        if best is None or step > best[0]:
            best = step, path
    if best is None and failure is not None:
        raise failure
    return best[1] if best else None


def _copied(value: Any) -> Any:
    """Return a copy of nested containers, with every tensor on the CPU and apart from the live one."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(part) for part in value)
    return value
