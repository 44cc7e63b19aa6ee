"""The memory manager of Forge and reForge, which counts what is on the GPU: every move of a part goes through it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices

from ...hypernetworks.base.errors import TrainingError
from .checkpoint import originals, without_changes

_MANAGERS = ("backend.memory_management", "ldm_patched.modules.model_management")


class _State:
    """What is to be where.

    Attributes:
        settled: the part that was loaded last by `load`, unless something else may have been loaded since.
        are_away: whether VAE and text encoder are to be off the GPU.
        needed_by: number of blocks that need them there all the same.
    """

    settled: Any = None
    are_away = False
    needed_by = 0


def is_settled(patcher: Any) -> bool:
    """Tell whether a part was loaded last, by `load`, and is still where the manager wants it for computing."""
    return _State.settled is patcher and bool(_held([patcher]))


def load(patcher: Any, room_bytes: int = 0) -> None:
    """Bring a part to its device, with `room_bytes` free beside it."""
    with torch.inference_mode():  # as the host does
        _manager().load_models_gpu([patcher], memory_required=room_bytes)
    _State.settled = patcher


@contextmanager
def picture() -> Iterator[None]:
    """Let the host make a picture in the block, of the checkpoint as it is; it loads what it needs then."""
    with encoders_needed(), without_changes():
        yield


@contextmanager
def encoders_away() -> Iterator[None]:
    """Keep VAE and text encoder in main memory, but for blocks of `encoders_needed`."""
    _State.are_away = True
    try:
        _send_away()
        yield
    finally:
        _State.are_away = False


@contextmanager
def encoders_needed() -> Iterator[None]:
    """Leave VAE and text encoder where they are in the block; the host brings each when it computes with it."""
    _State.needed_by += 1
    _State.settled = None
    try:
        yield
    finally:
        _State.needed_by -= 1
        _send_away()


def _send_away() -> None:
    if not _State.are_away or _State.needed_by:
        return
    parts = originals()
    leaving = [loaded for loaded in _held([parts.clip.patcher, parts.vae.patcher]) if loaded.device.type != "cpu"]
    for loaded in leaving:
        _manager().current_loaded_models.remove(loaded)
        loaded.model_unload()
    if leaving:
        devices.torch_gc()


def _held(patchers: list[Any]) -> list[Any]:
    """Return what the manager keeps of these parts."""
    return [held for held in _manager().current_loaded_models if any(held.model is one for one in patchers)]


def _manager() -> Any:
    for name in _MANAGERS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise TrainingError("this WebUI has no memory manager that is known here")
