"""The whole state of a run in memory, for a roll-back and for the file to continue from.

Random generators are not part of it: every draw of a run is addressed by seed and step (see `randomness`), so the step
number alone gives noise, timesteps, dropout, captions and order back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import files
from ..base.errors import HypernetworkFileError
from ..base.forms import Number, Record, UnfitError
from ..embedding.vectors import Embeddings, Learner
from ..network.hypernetwork import Hypernetwork
from ..ports import Denoiser
from .offload import CPU, OptimizerOnCpu
from .optim import optimizers
from .optim.averages import WeightAverage, average_form, weights_form, weights_to_show
from .optim.optimizer_state import Build, OptimizerForm, put_back
from .optim.pair import NETWORK, WORDS, OptimizerPair, PairForm, is_empty, parts_of
from .optim.precision import SCALER, Precision
from .settings.job import Job

_log = logging.getLogger(__name__)

Learning = tuple[Hypernetwork, Embeddings | None]
#: Of the learning rate; roll-backs halve it.
_LEAST_FACTOR = 2.0**-100


@dataclass
class TrainState:
    """All that changes from step to step: weights, optimizer state, loss scale, average, learning rate factor.

    Attributes:
        average: the average of the weights, or None.
        rate_factor: factor of the learning rate after roll-backs.
        embeddings: words that learn too, or alone; None where a network learns alone.
    """

    network: Hypernetwork
    optimizer: torch.optim.Optimizer
    precision: Precision
    average: WeightAverage | None = None
    rate_factor: float = 1.0
    embeddings: Embeddings | None = None

    def __post_init__(self) -> None:
        #: All that learns.
        self.learner = _learner(self.network, self.embeddings)

    def weights_to_show(self) -> AbstractContextManager[None]:
        """Return a context in which the network has the weights to save and show instead of those being trained."""
        return weights_to_show(self.learner, self.optimizer, self.average)

    def capture(self) -> dict[str, Any]:
        """Return a copy of everything, on the CPU."""
        return _copied(
            {
                "network": dict(self.learner.named_parameters()),
                "optimizer": self.optimizer.state_dict(),
                "precision": self.precision.state_dict(),
                "average": self.average.state_dict() if self.average else {},
                "rate_factor": self.rate_factor,
            }
        )

    def restore(self, captured: Mapping[str, Any]) -> None:
        """Restore what `capture` or `check_captured` returned."""
        with torch.no_grad():
            for name, weight in self.learner.named_parameters():
                weight.copy_(captured["network"][name])
        self._restore_optimizer(captured["optimizer"])
        self.precision.load_state_dict(captured["precision"])
        if self.average:
            self.average.load_state_dict(captured["average"])
        self.rate_factor = captured["rate_factor"]

    def read_optimizer_file(self, job: Job) -> None:
        """Take over the optimizer state that the WebUI keeps beside the file of the network, if there is one that fits.

        One that does not is named in the log with the reason, and the optimizer starts anew.
        """
        if not (job.network.file and job.embedding.trains_network):
            return
        network = Path(job.network.file)
        path, device = files.optimizer_path(network), next(self.network.parameters()).device
        try:
            found = files.load_optimizer_state(path, files.short_hash(network))
            if found is None:
                return
            name, state = found
            if name != job.optimizer.name:
                _log.warning("%s: the saved optimizer state is of %s and was not used.", path.name, name)
                return
            _put_back(parts_of(self.optimizer)[0], _optimizer_form(job, self.network, None, device).take(state))
        except HypernetworkFileError as error:
            _log.warning("The saved optimizer state was not used: %s", error)
        except UnfitError as error:
            _log.warning("%s: the saved optimizer state does not fit and was not used: %s", path.name, error)
        else:
            _log.info("Going on with the optimizer state beside %s.", network.name)

    def _restore_optimizer(self, state: Mapping[str, Any]) -> None:
        if isinstance(self.optimizer, OptimizerPair):
            for name, part in self.optimizer.parts.items():
                _put_back(part, state[name])
        else:
            _put_back(self.optimizer, state)


def _put_back(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    if isinstance(optimizer, OptimizerOnCpu):
        optimizer.load_state_dict(state)
    else:
        put_back(optimizer, state)


def make_state(job: Job, network: Hypernetwork, denoiser: Denoiser, embeddings: Embeddings | None = None) -> TrainState:
    """Return the state of step 0: `network` on the device of the model, and what else learns, with new optimizers."""
    network = network.to(denoiser.device)
    if embeddings is not None:
        embeddings = embeddings.to(denoiser.device)
    build = _builder(job)
    made: dict[str, torch.optim.Optimizer] = {}
    for name, module in ((NETWORK, network), (WORDS, embeddings)):
        weights: list[Tensor] = [] if module is None else list(module.parameters())
        if weights:
            made[name] = OptimizerOnCpu(weights, build) if job.train.optimizer_on_cpu else build(weights)
    optimizer = OptimizerPair(made) if len(made) > 1 else next(iter(made.values()))
    learner = _learner(network, embeddings)
    average = WeightAverage(learner, job.train.ema_decay) if job.train.ema_decay else None
    precision = Precision(job.train.precision, denoiser.device, denoiser.dtype)
    return TrainState(network, optimizer, precision, average, embeddings=embeddings)


def _learner(network: Hypernetwork, embeddings: Embeddings | None) -> nn.Module:
    return network if embeddings is None else Learner(network, embeddings)


def check_captured(
    captured: Mapping[str, Any], job: Job, parts: Learning, device: torch.device, has_stepped: bool
) -> dict[str, Any]:
    """Return what `TrainState.capture` gave and a file has kept, sure to fit the state of a new run of `job`.

    Args:
        parts: the network and the embeddings of the run.
        device: that of the steps.
        has_stepped: whether the optimizer had taken steps.

    Raises:
        UnfitError: it is of another network or optimizer, or damaged.
    """
    weights = dict(_learner(*parts).named_parameters())
    optimizer = _optimizer_form(job, *parts, device)
    form = Record(
        {
            "network": weights_form(weights),
            "optimizer": optimizer,
            "precision": SCALER if captured["precision"] else Record({}),
            "average": average_form(weights, captured["average"]) if captured["average"] else Record({}),
            "rate_factor": Number(_LEAST_FACTOR, 1),
        }
    )
    found = form.take(captured)
    if has_stepped and optimizer.keeps_for_weights and is_empty(found["optimizer"]):
        raise UnfitError("optimizer.state is empty although steps were taken")
    return found


def _optimizer_form(
    job: Job, network: Hypernetwork, embeddings: Embeddings | None, device: torch.device
) -> OptimizerForm | PairForm:
    """Return the form of what the optimizer of a run keeps, with the network on `device`."""
    device = CPU if job.train.optimizer_on_cpu else device
    groups = {NETWORK: [list(pair.parameters()) for pair in network.pairs.values()]}
    if embeddings is not None:
        groups[WORDS] = [list(embeddings.parameters())]
    forms = {name: OptimizerForm.of(each, _builder(job), device) for name, each in groups.items() if each}
    return PairForm(forms) if len(forms) > 1 else next(iter(forms.values()))


def _builder(job: Job) -> Build:
    return partial(optimizers.build, name=job.optimizer.name, arguments=job.optimizer.arguments)


def _copied(value: Any) -> Any:
    """Return a copy of nested containers, with every tensor on the CPU and apart from the live one."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(part) for part in value)
    return value
