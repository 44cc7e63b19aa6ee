"""A training job on the host: what the tab, the command line and the HTTP API call."""

from __future__ import annotations

import gc

import torch
from modules import devices, shared

from ..hypernetworks.errors import TrainingError
from ..hypernetworks.ports import Progress
from ..hypernetworks.settings import Job
from ..hypernetworks.train.run import TrainResult, train
from . import host
from .previews import check_sampler


def run_job(job: Job, progress: Progress | None = None) -> TrainResult:
    """Trains as `job` says on the loaded checkpoint, and lets the host list the result.

    Raises:
        WorkbenchError: see `hypernetworks.train.run.train`; also where the GPU has too little memory.
    """
    ports = host.ports(progress)
    if job.preview.every or job.output.sheet:
        check_sampler(job.preview.sampler)
    try:
        return train(job, ports)
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            "the GPU has too little memory for this run; lower the batch size or the picture size"
        ) from error
    finally:
        gc.collect()
        devices.torch_gc()
        shared.reload_hypernetworks()
