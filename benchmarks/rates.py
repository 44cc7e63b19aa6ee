"""What each learning rate makes of a whole run: the loss at its end, always on the same pictures, noise and timesteps.

The least loss tells the best rate, which *Find a rate* and the advice of the presets are held against.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.errors import NonFiniteLossError
from hypernetwork_workbench.hypernetworks.data.encoding import EncodedDataset, encode_parts
from hypernetwork_workbench.hypernetworks.ports import Ports
from hypernetwork_workbench.hypernetworks.train import find_rate, make_plan
from hypernetwork_workbench.hypernetworks.train.optim.step_schedule import with_highest
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.state import TrainState, make_state
from hypernetwork_workbench.hypernetworks.train.trainer import make_trainer
from hypernetwork_workbench.hypernetworks.train.validation import Validation

from . import training_cases
from .machine import describe
from .rate_jobs import JOBS, RateJob, presets
from .training_cases import Case, loaded


def measure(rounds: int) -> dict[str, Any]:
    """Sweep the rates of every job, with `rounds` seeds each; return the machine and a case for each job and rate.

    What *Find a rate* tells for those that it is tried on is beside them as `found`.
    """
    with loaded(Case("demo", 64)):
        found = {job.name: find(job) for job in JOBS}
        cases = [case for job in (*JOBS, *presets()) for case in sweep(job, rounds)]
    return {"machine": describe(torch.device("cpu")), "found": found, "cases": cases}


def find(searched: RateJob) -> float | None:
    """Return what *Find a rate* tells for a job; None where it cannot tell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        choice = find_rate(searched.job(folder / "pictures"), ports(folder)).choice
        return None if choice.doubt else choice.rate


def sweep(swept: RateJob, rounds: int) -> list[dict[str, Any]]:
    """Return a case for each rate: the mean of the losses that runs of different seeds end with."""
    with tempfile.TemporaryDirectory() as name:
        folder, cases = Path(name), []
        here, job = ports(folder), swept.job(folder / "pictures")
        plan = make_plan(job, here)
        measured = replace(plan.training, is_deterministic=True)
        training, fixed = encode_parts((plan.training, measured), here, plan.cache)
        for rate in swept.rates:
            losses = [run(_at(job, rate, turn), here, training, fixed) for turn in range(rounds)]
            case = {"job": swept.name, "steps": plan.end_step, "rate": rate, "seeds": rounds}
            cases.append({**case, "loss": round(sum(losses) / rounds, 5)})
    return cases


def ports(folder: Path) -> Ports:
    """Return ports on the loaded model with its own encoders."""
    from hypernetwork_workbench.patches.model.encoders import HostEncoder  # noqa: PLC0415 (needs the running host)

    return training_cases.ports(folder, HostEncoder())


def run(
    job: Job,
    here: Ports,
    training: EncodedDataset,
    fixed: EncodedDataset,
    watch: Callable[[Validation, TrainState], None] = lambda *_: None,
) -> float:
    """Return the loss on `fixed` at the end of a whole run; infinite where it does not stay finite.

    `watch` is called at its end.
    """
    plan = make_plan(job, here)
    state = make_state(job, plan.network, here.denoiser)
    trainer = make_trainer(plan, here.denoiser, training, state)
    reporter = trainer.reporter([], plan.end_step)
    with trainer.working():
        try:
            for batches in trainer.batches(0, plan.end_step):
                reporter.report(trainer.step(batches))
        except NonFiniteLossError:
            return float("inf")
        validation = Validation(fixed, here.denoiser, state, 1)
        watch(validation, state)
        return validation.measure()


def _at(job: Job, rate: float, turn: int) -> Job:
    text = with_highest(job.schedule.rate, rate, job.steps(1))
    train = replace(job.train, seed=job.train.seed + turn)
    output = replace(job.output, overwrite=True)
    return replace(job, schedule=replace(job.schedule, rate=text), train=train, output=output)
