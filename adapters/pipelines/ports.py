"""All ports of a training run on a folder in the form of diffusers."""

from __future__ import annotations

from pathlib import Path

import torch

from ...hypernetworks.ports import Checkpoint, Ports, Progress
from . import folder, parts
from .denoiser import PipelineDenoiser
from .encoder import PipelineEncoder
from .libraries import library
from .previews import PipelinePreviewer, find_sampler


def best_device() -> torch.device:
    """Return the fastest device there is."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def ports_on(
    path: Path, progress: Progress, network_dir: Path, log_dir: Path, device: torch.device | None = None
) -> Ports:
    """Return ports on the parts of a folder; nothing of the folder is run, and nothing in it is changed.

    Args:
        path: the folder, with `model_index.json` in it.
        network_dir, log_dir: see `Ports`.
        device: where it computes, in fp16 on CUDA and else in float32; None: the fastest one.

    Raises:
        AdapterError: it is of another kind of model, or cannot be read; or diffusers or transformers are missing.
    """
    for name in ("diffusers", "transformers"):
        library(name)
    device = device or best_device()
    found = folder.read(path)
    made = parts.load(found, torch.float16 if device.type == "cuda" else torch.float32)
    encoder, denoiser = PipelineEncoder(made, device), PipelineDenoiser(made, device)
    return Ports(
        encoder=encoder,
        denoiser=denoiser,
        previewer=PipelinePreviewer(made, encoder, denoiser, progress.is_interrupted),
        progress=progress,
        checkpoint=Checkpoint(path.resolve().name, made.unet_hash),
        network_dir=network_dir,
        log_dir=log_dir,
        find_sampler=find_sampler,
    )
