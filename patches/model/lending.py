"""What belongs to a run while others use the model: the host's record of its job, the checkpoint, and its LoRAs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import progress, sd_models, shared

from .. import backend


@contextmanager
def lent() -> Iterator[None]:
    """Let others work with the model in the block; afterwards the host is where it was, and the run can go on."""
    with _kept_job(), _kept_checkpoint(), _kept_loras():
        yield


@contextmanager
def _kept_job() -> Iterator[None]:
    """Keep what the host knows of its present job; others begin and end theirs in the block."""
    state, task = shared.state, progress.current_task
    # What begins with an underscore is no part of a job: commands to the server that somebody gives meanwhile.
    before = {name: value for name, value in vars(state).items() if not name.startswith("_")}
    try:
        yield
    finally:
        progress.start_task(task)
        for name, value in before.items():
            setattr(state, name, value)


@contextmanager
def _kept_checkpoint() -> Iterator[None]:
    """Load the present checkpoint again if somebody chose another one in the block."""
    if backend.chosen() is not None:
        with backend.kept_checkpoint():
            yield
        return
    info = shared.sd_model.sd_checkpoint_info
    try:
        yield
    finally:
        if shared.sd_model.sd_checkpoint_info.filename != info.filename:
            sd_models.reload_model_weights(info=info)


@contextmanager
def _kept_loras() -> Iterator[None]:
    """Put the host's LoRAs into the weights again, or take them out, as they were before the block."""
    loras: Any = sys.modules.get("networks")
    before = list(getattr(loras, "loaded_networks", ()))
    try:
        yield
    finally:
        if list(getattr(loras, "loaded_networks", ())) != before:
            loras.loaded_networks[:] = before
            with torch.no_grad():
                for layer in shared.sd_model.model.modules():
                    if getattr(layer, "network_current_names", ()):
                        loras.network_apply_weights(layer)
