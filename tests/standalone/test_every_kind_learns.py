"""Each optimizer and each schedule lowers the loss of the demo job in 30 steps, on the same pictures and noise."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from hypernetwork_workbench.hypernetworks.base.options import Settings
from hypernetwork_workbench.hypernetworks.data.encoding import encode_parts
from hypernetwork_workbench.hypernetworks.train.loss import picture_losses
from hypernetwork_workbench.hypernetworks.train.optim.optimizers import finds_rate
from hypernetwork_workbench.hypernetworks.train.optim.schedule import SCHEDULES
from hypernetwork_workbench.hypernetworks.train.plan import make_plan
from hypernetwork_workbench.hypernetworks.train.rate_trials import _samples, measured_part
from hypernetwork_workbench.hypernetworks.train.settings.job import Job
from hypernetwork_workbench.hypernetworks.train.settings.job_file import read_tables
from hypernetwork_workbench.hypernetworks.train.state import make_state
from hypernetwork_workbench.hypernetworks.train.trainer import make_trainer

from benchmarks import rates
from benchmarks.training_cases import Case, loaded
from tests import sources
from tests.support.optimizers import case, every

STEPS = 30
#: Where the demo's own rate is too high or too low for so few steps; the rest takes that.
RATES = {
    **dict.fromkeys(("SGD", "SGDNesterov", "SGDNesterov8bit", "ScheduleFreeSGD"), 2.0),
    **dict.fromkeys(("Lion", "Lion8bit", "CAME"), 0.001),
    "DAdaptAdan": 0.01,  # its first steps are too long otherwise
}
#: Beginning with a guess of the rate that is not too small to be found in so few steps.
GUESSES = {"DAdaptSGD": "d0=1.0", "DAdaptAdaGrad": "d0=0.01", "DAdaptLion": "d0=0.0001"}
TYPED = (
    "Adamax",
    "pytorch_optimizer.AdaBelief",
    "transformers.optimization.Adafactor",
    "bitsandbytes.optim.Adagrad8bit",
)
CLASSES = {
    "OneCycleLR": "",
    "CosineAnnealingLR": "",
    "StepLR": "step_size=10",
    "CosineAnnealingWarmRestarts": "T_0=10",
    "CyclicLR": "base_lr=0.001, step_size_up=5",
    "pytorch_optimizer.CosineAnnealingWarmupRestarts": "first_cycle_steps=15, max_lr=0.005",
}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Return the plan of the demo job with its pictures encoded, once for all kinds."""
    with loaded(Case("demo", 64)):
        tables = read_tables(sources.ROOT / "examples" / "demo.toml")
        tables.pop("evaluation")
        tables["data"] |= {"batch_size": 1, "caption_dropout": 0.0}
        tables["train"] = {"max_steps": STEPS, "seed": 1}
        ports = rates.ports(tmp_path_factory.mktemp("demo"))
        plan = make_plan(Job.from_mapping(tables), ports)
        parts = encode_parts((plan.training, measured_part(plan.training)), ports, None)
        trainer = make_trainer(plan, ports.denoiser, parts[0], make_state(plan.job, plan.network, ports.denoiser))
        samples = list(_samples(parts[1], ports.denoiser, trainer.noise, 1))[::8]
        with trainer.working():
            before = loss_now(trainer, samples)
        yield plan, parts, samples, ports.denoiser, before


def loss_after(planned, **sections: Settings) -> float:
    """Return the loss after a run with other settings."""
    plan, (training, _), samples, denoiser, _ = planned
    job = replace(plan.job, **sections)
    own = replace(plan, job=job, network=copy.deepcopy(plan.network), schedule=job.learning_rates())
    trainer = make_trainer(own, denoiser, training, make_state(job, own.network, denoiser))
    with trainer.working():
        for batches in trainer.batches(0, STEPS):
            assert trainer.step(batches).read().is_finite
        return loss_now(trainer, samples)


@torch.no_grad()
def loss_now(trainer, samples) -> float:
    with trainer.state.weights_to_show():
        trainer.state.network.eval()
        return torch.cat([picture_losses(trainer.denoiser, one, trainer.job.loss) for one in samples]).mean().item()


@pytest.mark.parametrize("name", [*every(), *map(case, TYPED)])
def test_every_optimizer_lowers_the_loss(planned, name):
    job = planned[0].job
    rate = RATES.get(name, "1.0" if finds_rate(name) else job.schedule.rate)
    optimizer = replace(job.optimizer, name=name, arguments=GUESSES.get(name, ""))
    after = loss_after(planned, optimizer=optimizer, schedule=replace(job.schedule, rate=str(rate)))
    assert after < planned[-1]


@pytest.mark.parametrize("kind", [*SCHEDULES, *CLASSES])
def test_every_schedule_lowers_the_loss(planned, kind):
    schedule = replace(planned[0].job.schedule, kind=kind, arguments=CLASSES.get(kind, ""))
    assert loss_after(planned, schedule=schedule) < planned[-1]
