"""Sentences on what in a job changes nothing, or does not suit the model: for Check, the log and the result."""

from __future__ import annotations

from ...data.dataset import Dataset
from ...kernels import compiled
from ...ports import Checkpoint, Denoiser, Ports
from ..optim import own_rates
from ..settings.job import Job

_XL_PX, _XL_WIDTH = 1024, 2048
_OWN_RATE = "Learning rate and schedule of the run are not used: the embedding has a learning rate of its own."


def of_plan(job: Job, training: Dataset, ports: Ports) -> tuple[str, ...]:
    """Return sentences on what in a job changes nothing, or does not suit the model."""
    ranks = ports.ranks.size
    told = (
        _other_parts(ports.checkpoint),
        _idle_ranks(job, training, ranks),
        _too_small(ports.denoiser, training),
        _compiled(job, ports.denoiser, training),
        training.anew(),
    )
    return (*_unused_rate(job), *(sentence for one in told for sentence in one))


def _other_parts(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return a sentence for each part of the model that is not the checkpoint's."""
    return tuple(
        f"The VAE is that of {file}." if setting == "vae" else f"The text encoder is that of {file}."
        for setting, file in checkpoint.parts.items()
    )


def _unused_rate(job: Job) -> tuple[str, ...]:
    """Return sentences where the optimizer, or what is trained, takes no notice of the learning rate."""
    sentence = own_rates.unused_rate(job.optimizer.name, job.optimizer.arguments)
    own = () if "schedule.rate" in job.embedding.rates else (_OWN_RATE,)
    return (sentence, *own) if sentence else own


def _idle_ranks(job: Job, training: Dataset, ranks: int) -> tuple[str, ...]:
    """Return a sentence where more processes share a step than it has pictures."""
    most = max(kind.batch_size for kind in training.kinds) * job.train.gradient_accumulation
    if ranks <= most:
        return ()
    return (
        f"{ranks - most} of {ranks} processes have nothing to do, as a step has at most {most} "
        f"{'picture' if most == 1 else 'pictures'}: raise data.batch_size or train.gradient_accumulation.",
    )


def _too_small(denoiser: Denoiser, training: Dataset) -> tuple[str, ...]:
    """Return a sentence where SDXL, told by the width of its texts, gets pictures far below the size it knows."""
    largest = max(training.kinds, key=lambda kind: kind.width_px * kind.height_px)
    if denoiser.widths[0] != _XL_WIDTH or largest.width_px * largest.height_px > _XL_PX**2 / 2:
        return ()
    return (
        f"SDXL knows pictures of about {_XL_PX} x {_XL_PX} pixels, and these have at most {largest.width_px} x "
        f"{largest.height_px}: raise data.width and data.height.",
    )


def _compiled(job: Job, denoiser: Denoiser, training: Dataset) -> tuple[str, ...]:
    """Return a sentence on how long compiling the U-Net takes where that is wanted, or why nothing here can do that."""
    if not compiled.is_wanted(job.train.compile_unet, denoiser.device):
        return ()
    reason = compiled.obstacle(denoiser.device)
    if reason:
        return (f"The U-Net is not compiled: {reason}.",)
    sizes = len({(kind.width_px, kind.height_px, kind.batch_size) for kind in training.kinds})
    each = "" if sizes == 1 else f" with each of {sizes} sizes of pictures and batches"
    return (f"The first step{each} compiles the U-Net, which takes minutes.",)
