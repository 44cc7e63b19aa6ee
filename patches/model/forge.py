"""What Forge and reForge keep around a checkpoint: parts in patchers, and the memory manager that moves them.

The manager counts what is on the GPU, so every move here goes through it. Elsewhere nothing of this exists.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices, sd_models, shared

from ...hypernetworks.base.errors import TrainingError
from ..patching import capabilities

#: What the present checkpoint was loaded by, under the text by which Forge knows it again.
_choices: dict[str, Any] = {}

_MANAGERS = ("backend.memory_management", "ldm_patched.modules.model_management")


class _Encoders:
    """Whether VAE and text encoder are to be off the GPU, and how many blocks need them there all the same."""

    are_away = False
    needed_by = 0


class _Settled:
    """The part that was loaded last by `load`, unless something else may have been loaded since."""

    patcher: Any = None


def originals() -> Any:
    """Return U-Net, text encoder and VAE of the loaded checkpoint, without LoRAs and other changes of a picture."""
    return shared.sd_model.forge_objects_original


def load_chosen() -> None:
    """Load the checkpoint that is chosen in the page, which Forge itself leaves to the first picture.

    Raises:
        TrainingError: there is none, or it cannot be read.
    """
    load = getattr(sd_models, "forge_model_reload", None)
    if load is None:  # it is loaded when the host starts
        return
    try:
        load()
    except (ValueError, OSError, RuntimeError, AttributeError, KeyError) as error:
        raise TrainingError(f"the chosen checkpoint could not be loaded: {error}") from error
    _choices.clear()
    _choices[str(chosen())] = chosen()


def chosen() -> Any:
    """Return what Forge loads the chosen checkpoint by; None where a choice is loaded at once."""
    return getattr(getattr(sd_models, "model_data", None), "forge_loading_parameters", None)


@contextmanager
def with_choice(parameters: Any) -> Iterator[None]:
    """Let pictures be made with the checkpoint that `chosen` has returned earlier, whatever is chosen by now."""
    data: Any = sd_models.model_data
    before = chosen()
    if parameters is None:
        yield
        return
    data.forge_loading_parameters = parameters
    try:
        yield
    finally:
        if data.forge_loading_parameters is parameters:  # else somebody has chosen meanwhile
            data.forge_loading_parameters = before


@contextmanager
def without_changes() -> Iterator[None]:
    """Let the host work with the checkpoint as it is; it would use the LoRAs of the last picture otherwise."""
    model = shared.sd_model
    before = model.forge_objects, model.forge_objects_after_applying_lora
    model.forge_objects = model.forge_objects_original.shallow_copy()
    model.forge_objects_after_applying_lora = model.forge_objects_original.shallow_copy()
    try:
        yield
    finally:
        model.forge_objects, model.forge_objects_after_applying_lora = before


@contextmanager
def kept_checkpoint() -> Iterator[None]:
    """Load the present checkpoint again if others have loaded another one in the block; leave them their choice."""
    data: Any = sd_models.model_data
    loaded_by = _choices.get(data.forge_hash)
    try:
        yield
    finally:
        _Settled.patcher = None
        if loaded_by is not None and data.forge_hash != str(loaded_by):
            with with_choice(loaded_by):
                load_chosen()


@contextmanager
def picture() -> Iterator[None]:
    """Let the host make a picture in the block; it loads what it needs then."""
    _Settled.patcher = None
    try:
        with encoders_needed(), without_changes():
            yield
    finally:
        _Settled.patcher = None


def is_settled(patcher: Any) -> bool:
    """Tell whether a part was loaded last, by `load`, and is still where the manager wants it for computing."""
    loaded = (loaded.model for loaded in _manager().current_loaded_models)
    return _Settled.patcher is patcher and any(model is patcher for model in loaded)


def load(patcher: Any, room_bytes: int = 0) -> None:
    """Bring a part to its device, with `room_bytes` free beside it."""
    with torch.inference_mode():  # as the host does
        _manager().load_models_gpu([patcher], memory_required=room_bytes)
    _Settled.patcher = patcher


def unload(*patchers: Any) -> None:
    """Bring parts to main memory."""
    held = _manager().current_loaded_models
    leaving = [loaded for loaded in held if any(loaded.model is patcher for patcher in patchers)]
    for loaded in leaving:
        if loaded.device.type != "cpu":
            held.remove(loaded)
            loaded.model_unload()
    if leaving:
        devices.torch_gc()


@contextmanager
def encoders_away() -> Iterator[None]:
    """Keep VAE and text encoder in main memory, but for blocks of `encoders_needed`."""
    _Encoders.are_away = True
    try:
        _send_away()
        yield
    finally:
        _Encoders.are_away = False


@contextmanager
def encoders_needed() -> Iterator[None]:
    """Leave VAE and text encoder where they are in the block; the host brings each when it computes with it."""
    _Encoders.needed_by += 1
    try:
        yield
    finally:
        _Encoders.needed_by -= 1
        _send_away()


def _send_away() -> None:
    if _Encoders.are_away and not _Encoders.needed_by:
        unload(originals().clip.patcher, originals().vae.patcher)


def is_here() -> bool:
    """Tell whether the host is one of these."""
    return capabilities.attention_has_hooks()


def _manager() -> Any:
    for name in _MANAGERS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise TrainingError("this WebUI has no memory manager that is known here")
