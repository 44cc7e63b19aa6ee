"""Temporary states of the host, each as a context manager that leaves everything as it was."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from modules import shared
from torch import nn

from ...hypernetworks.network.hypernetwork import Hypernetwork
from ...hypernetworks.train.noise import for_samplers
from .loaded import Loaded, LoadedNetwork

#: The host's names of what a U-Net predicts, by ours.
PARAMETERIZATIONS = {"epsilon": "eps", "v": "v"}
#: The host's setting of the schedule of its samplers.
SCHEDULE_OPTION = "sd_noise_schedule"
ZERO_SNR = "Zero Terminal SNR"
_STATE_FIELDS = ("job", "job_no", "job_count", "sampling_step", "sampling_steps", "textinfo", "current_latent")


@contextmanager
def training(model: nn.Module, network: Hypernetwork) -> Iterator[None]:
    """Freeze `model`, switch its own checkpointing off, and attach `network` alone, in training mode."""
    with ExitStack() as stack:
        stack.enter_context(frozen(model))
        stack.enter_context(without_checkpointing(model))
        stack.enter_context(attached(network, 1.0))
        stack.enter_context(mode(network, is_training=True))
        stack.enter_context(torch.enable_grad())
        yield


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Let no parameter of `model` take a gradient, and put its layers into evaluation mode."""
    thawed = [
        (module, name)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.requires_grad
    ]
    trained = [module for module in model.modules() if module.training]
    try:
        for module, name in thawed:
            getattr(module, name).requires_grad_(False)
        model.eval()
        yield
    finally:
        for module, name in thawed:
            parameter = getattr(module, name)  # another one where the host has moved its weights meanwhile
            if not parameter.is_inference():  # these cannot take one, nor any gradient
                parameter.requires_grad_(True)
        for module in trained:
            module.training = True


@contextmanager
def without_checkpointing(model: nn.Module) -> Iterator[None]:
    """Switch off the checkpointing that `ldm`, the host or another extension gave the blocks.

    It is re-entrant: it fails with frozen weights and gives networks no gradient. Ours replaces it where wanted.
    """
    changed: list[tuple[nn.Module, str]] = []
    bypassed: list[nn.Module] = []
    try:
        for module in model.modules():
            if _forward_checkpoints(module):
                vars(module)["forward"] = module._forward
                bypassed.append(module)
            for flag in ("checkpoint", "use_checkpoint"):
                if getattr(module, flag, None) is True:
                    setattr(module, flag, False)
                    changed.append((module, flag))
        yield
    finally:
        for module, flag in changed:
            setattr(module, flag, True)
        for module in bypassed:
            del vars(module)["forward"]


def _forward_checkpoints(module: nn.Module) -> bool:
    """Tell whether the forward of a module's class does nothing but checkpoint its `_forward`.

    Those of the host and of other extensions replace `ldm`'s own on the class, and ignore its flag.
    """
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    if code is None or "forward" in vars(module):
        return False
    return {*code.co_names, *code.co_freevars} == {"checkpoint", "_forward"}


@contextmanager
def attached(network: Hypernetwork | None, strength: float) -> Iterator[None]:
    """Let only `network`, or none, transform the host's attention inputs."""
    loaded = None
    if network is not None:
        loaded = LoadedNetwork(network, network.metadata.name or "unsaved")
        loaded.set_multiplier(strength)
    with alone(loaded):
        yield


@contextmanager
def alone(loaded: Loaded | None) -> Iterator[None]:
    """Let only `loaded`, or nothing, transform the host's attention inputs."""
    before: Sequence[Any] = list(shared.loaded_hypernetworks)
    try:
        shared.loaded_hypernetworks[:] = [] if loaded is None else [loaded]
        yield
    finally:
        shared.loaded_hypernetworks[:] = before


@contextmanager
def mode(network: nn.Module | None, is_training: bool) -> Iterator[None]:
    """Put `network` into training or evaluation mode."""
    if network is None:
        yield
        return
    before = network.training
    try:
        network.train(is_training)
        yield
    finally:
        network.train(before)


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Restore the random generators of torch, numpy and Python afterwards."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextmanager
def preserved_state() -> Iterator[None]:
    """Restore what the host's progress shows afterwards."""
    before = {name: getattr(shared.state, name) for name in _STATE_FIELDS}
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(shared.state, name, value)


@contextmanager
def quiet_total() -> Iterator[None]:
    """Keep the host's console from counting sampling steps as those of the whole job."""
    before = getattr(shared, "total_tqdm", None)
    if before is None:
        yield
        return
    shared.total_tqdm = _Quiet()
    try:
        yield
    finally:
        shared.total_tqdm = before


class _Quiet:
    """Stands in for the host's bar "Total progress"."""

    def reset(self) -> None:
        """Do nothing."""

    def update(self) -> None:
        """Do nothing."""

    def updateTotal(self, new_total: int) -> None:  # noqa: N802 - the host's name
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""


@contextmanager
def taken_for(prediction: str, alphas_cumprod: torch.Tensor) -> Iterator[None]:
    """Let the host sample as if its model predicted this on this schedule; see `hypernetworks.ports.Denoiser`."""
    model = shared.sd_model
    schedule = for_samplers(alphas_cumprod)
    values: dict[str, Any] = {"parameterization": PARAMETERIZATIONS[prediction]}
    # The host starts each job from the schedule of the checkpoint and changes it as its settings say.
    values |= {name: schedule for name in ("alphas_cumprod", "alphas_cumprod_original") if hasattr(model, name)}
    before = {name: getattr(model, name) for name in values}
    option = shared.opts.data.get(SCHEDULE_OPTION)
    try:
        for name, value in values.items():
            setattr(model, name, value)
        if option is not None:
            shared.opts.data[SCHEDULE_OPTION] = "Default"
        yield
    finally:
        for name, value in before.items():
            setattr(model, name, value)
        if option is not None:
            shared.opts.data[SCHEDULE_OPTION] = option
