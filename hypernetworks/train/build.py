"""The state and the trainer that a planned run starts with."""

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
from .state import TrainState

#: Latents and conditionings stay on the GPU where they take no more than this share of its free memory.
_RESIDENT_SHARE = 0.1


def make_state(plan: Plan, denoiser: Denoiser) -> TrainState:
    """Return the state of step 0: the network on the device of the model, with a new optimizer."""
    job, network = plan.job, plan.network.to(denoiser.device)
    build = partial(optimizers.build, name=job.optimizer.name, arguments=job.optimizer.arguments)
    weights = network.parameters()
    optimizer = OptimizerOnCpu(weights, build) if job.train.optimizer_on_cpu else build(weights)
    average = WeightAverage(network, job.train.ema_decay) if job.train.ema_decay else None
    return TrainState(network, optimizer, Precision(job.train.precision, denoiser.device, denoiser.dtype), average)


def make_trainer(plan: Plan, denoiser: Denoiser, data: EncodedDataset, state: TrainState) -> Trainer:
    """Return the trainer that takes the steps, from `state` on."""
    job = plan.job
    if denoiser.device.type != "cpu" and data.size_bytes <= _RESIDENT_SHARE * free_bytes(denoiser.device):
        data.keep_on(denoiser.device)
    cycle = plan.interval("loss", "noise_cycle")
    return Trainer(
        job=job,
        data=data,
        denoiser=denoiser,
        state=state,
        schedule=plan.schedule,
        noise=NoiseProcess(denoiser.alphas_cumprod, denoiser.prediction, job.loss, cycle),
        clip_limits=schedules.parse(job.optimizer.clip_limit, plan.end_step),
        guard=Guard(state, job.train),
        computing=plan.needs.computing,
    )
