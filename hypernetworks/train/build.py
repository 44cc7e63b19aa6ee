"""Learner and trainer of a planned run."""

from __future__ import annotations

from functools import partial

from ..data.latents import EncodedDataset
from ..kernels.memory import free_bytes
from ..ports import Denoiser
from .loop import Trainer
from .noise import NoiseProcess
from .offload import OptimizerOnCpu
from .optim import optimizers, schedules
from .optim.averages import WeightAverage
from .optim.precision import Precision
from .plan import Plan
from .rollback import Guard
from .state import Learner

#: Latents and conditionings stay on the GPU where they take no more than this share of its free memory.
_RESIDENT_SHARE = 0.1


def make_learner(plan: Plan, denoiser: Denoiser) -> Learner:
    """Return the network on the model's device, with its optimizer."""
    job, network = plan.job, plan.network.to(denoiser.device)
    build = partial(optimizers.build, name=job.optimizer.name, arguments=job.optimizer.arguments)
    weights = network.parameters()
    optimizer = OptimizerOnCpu(weights, build) if job.train.optimizer_on_cpu else build(weights)
    average = WeightAverage(network, job.train.ema_decay) if job.train.ema_decay else None
    return Learner(network, optimizer, Precision(job.train.precision, denoiser.device, denoiser.dtype), average)


def make_trainer(plan: Plan, denoiser: Denoiser, data: EncodedDataset, learner: Learner) -> Trainer:
    """Tell what takes the steps; `learner` has the state to start with already."""
    job = plan.job
    if denoiser.device.type != "cpu" and data.size_bytes <= _RESIDENT_SHARE * free_bytes(denoiser.device):
        data.keep_on(denoiser.device)
    cycle = plan.interval("loss", "noise_cycle")
    return Trainer(
        job=job,
        data=data,
        denoiser=denoiser,
        learner=learner,
        schedule=plan.schedule,
        noise=NoiseProcess(denoiser.alphas_cumprod, denoiser.prediction, job.loss, cycle),
        clip_limits=schedules.parse(job.optimizer.clip_limit, plan.end_step),
        guard=Guard(learner, job.train),
        computing=plan.needs.computing,
    )
