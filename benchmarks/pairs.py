"""Which activation and which first weights suit each other: what the best rate of each pair makes of the demo's job.

Also how many hidden units no input wakes at the end: such a unit of relu gets no gradient and never learns again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.data.encoding import EncodedDataset, encode_parts
from hypernetwork_workbench.hypernetworks.ports import Ports
from hypernetwork_workbench.hypernetworks.train import make_plan
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.state import TrainState
from hypernetwork_workbench.hypernetworks.train.validation import Validation
from torch import nn

from .machine import describe
from .rate_jobs import JOBS
from .rates import ports, run
from .training_cases import Case, loaded

_ACTIVATIONS = ("linear", "relu", "leakyrelu", "swish", "mish", "tanh")
#: The rule of the first weights, and whether the last layer starts at zero.
_STARTS = (("Normal", False), ("Normal", True), ("XavierNormal", True), ("KaimingNormal", True))
_RATES = (5e-4, 1.5e-3, 5e-3, 1.5e-2)
_STEPS = 250


@dataclass(frozen=True)
class Start:
    """A pair: the activation and how its weights start.

    Attributes:
        rule: of the first weights.
        is_zero_last: whether the last layer starts at zero, so that the untrained network changes nothing.
    """

    activation: str
    rule: str
    is_zero_last: bool


def measure(rounds: int) -> dict[str, Any]:
    """Train the demo's job with each pair at each rate, with `rounds` seeds; return the best rate of each pair."""
    pairs = [Start(activation, *start) for activation in _ACTIVATIONS for start in _STARTS]
    with loaded(Case("demo", 64)), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here, job = ports(folder), JOBS[0].job(folder / "pictures")
        plan = make_plan(job, here)
        parts = (plan.training, replace(plan.training, is_deterministic=True))
        training, fixed = encode_parts(parts, here, plan.cache)
        cases = [_best(job, pair, rounds, (here, training, fixed)) for pair in pairs]
    return {"machine": describe(torch.device("cpu")), "cases": cases}


def _best(job: Job, pair: Start, rounds: int, on: tuple[Ports, EncodedDataset, EncodedDataset]) -> dict[str, Any]:
    rates = [_mean([_trained(_job(job, pair, rate, turn), *on) for turn in range(rounds)]) for rate in _RATES]
    (loss, idle), rate = min(zip(rates, _RATES, strict=True))
    return {
        "activation": pair.activation,
        "first weights": pair.rule,
        "zero last layer": pair.is_zero_last,
        "best rate": rate,
        "loss": round(loss, 5),
        "idle units": round(idle, 3),
    }


def _job(job: Job, pair: Start, rate: float, turn: int) -> Job:
    shape = replace(job.network, activation=pair.activation, weight_init=pair.rule, zero_last_layer=pair.is_zero_last)
    train = replace(job.train, max_steps=_STEPS, seed=job.train.seed + turn)
    return replace(job, network=shape, schedule=replace(job.schedule, rate=f"{rate:g}"), train=train)


def _trained(job: Job, here: Ports, training: EncodedDataset, fixed: EncodedDataset) -> tuple[float, float]:
    shares: list[float] = []

    def watch(validation: Validation, state: TrainState) -> None:
        with _awake(state.network) as awake:
            validation.measure()
        shares.extend(1 - units.float().mean().item() for units in awake.values())

    loss = run(job, here, training, fixed, watch)
    return loss, sum(shares) / max(1, len(shares))


@contextmanager
def _awake(network: nn.Module) -> Iterator[dict[nn.Module, torch.Tensor]]:
    """Collect for each activation which of its units [outputs] gave other than zero for any input."""
    found: dict[nn.Module, torch.Tensor] = {}

    def see(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        awake = output.flatten(0, -2).ne(0).any(0)
        found[module] = found.get(module, torch.zeros_like(awake)) | awake

    kinds = [one for one in network.modules() if one.__class__.__module__.startswith("torch.nn.modules.activation")]
    handles = [one.register_forward_hook(see) for one in kinds]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _mean(turns: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(loss for loss, _ in turns) / len(turns), sum(idle for _, idle in turns) / len(turns)
