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
from .loaded import LoadedNetwork

_STATE_FIELDS = ("job", "job_no", "job_count", "sampling_step", "sampling_steps", "textinfo", "current_latent")


@contextmanager
def training(model: nn.Module, network: Hypernetwork) -> Iterator[None]:
    """`model` frozen and without checkpointing of its own, `network` alone attached and in training mode."""
    with ExitStack() as stack:
        stack.enter_context(frozen(model))
        stack.enter_context(without_checkpointing(model))
        stack.enter_context(attached(network, 1.0))
        stack.enter_context(mode(network, is_training=True))
        stack.enter_context(torch.enable_grad())
        yield


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No parameter of `model` takes a gradient, and its layers are in evaluation mode."""
    thawed = [parameter for parameter in model.parameters() if parameter.requires_grad]
    trained = [module for module in model.modules() if module.training]
    try:
        for parameter in thawed:
            parameter.requires_grad_(False)
        model.eval()
        yield
    finally:
        for parameter in thawed:
            parameter.requires_grad_(True)
        for module in trained:
            module.training = True


@contextmanager
def without_checkpointing(model: nn.Module) -> Iterator[None]:
    """Return the checkpointing that `ldm`, the host or another extension gave the blocks is off.

    It is re-entrant: it fails on frozen weights and passes networks no gradient. Ours takes its place where wanted.
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

    The host's and other extensions' take the place of `ldm`'s own on the class, and ask no flag.
    """
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    if code is None or "forward" in vars(module):
        return False
    return {*code.co_names, *code.co_freevars} == {"checkpoint", "_forward"}


@contextmanager
def attached(network: Hypernetwork | None, strength: float) -> Iterator[None]:
    """`network`, or none, is the only one that bends the host's attention inputs."""
    before: Sequence[Any] = list(shared.loaded_hypernetworks)
    try:
        shared.loaded_hypernetworks[:] = []
        if network is not None:
            loaded = LoadedNetwork(network, network.metadata.name or "unsaved")
            loaded.set_multiplier(strength)
            shared.loaded_hypernetworks.append(loaded)
        yield
    finally:
        shared.loaded_hypernetworks[:] = before


@contextmanager
def mode(network: nn.Module | None, is_training: bool) -> Iterator[None]:
    """`network` is in training or in evaluation mode."""
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
    """Return the generators of torch, numpy and Python give afterwards what they would have given."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextmanager
def preserved_state() -> Iterator[None]:
    """Return the host's progress shows afterwards what it showed."""
    before = {name: getattr(shared.state, name) for name in _STATE_FIELDS}
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(shared.state, name, value)
