"""The checkpoint of Forge and reForge: its parts, the choice that Forge loads at the next picture, and its changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modules import sd_models, shared

from ...hypernetworks.base.errors import TrainingError
from ..patching import capabilities

#: What the checkpoint that was loaded here was chosen by, under the text by which Forge knows it again.
_choices: dict[str, Any] = {}


def is_here() -> bool:
    """Tell whether the host is one of these."""
    return capabilities.attention_has_hooks()


def originals() -> Any:
    """Return U-Net, text encoder and VAE of the loaded checkpoint, without LoRAs and other changes of a picture."""
    return shared.sd_model.forge_objects_original


def load_chosen() -> None:
    """Load the checkpoint that is chosen in the page, which Forge itself leaves to the next picture.

    Raises:
        TrainingError: there is none, or it cannot be read.
    """
    load = getattr(sd_models, "forge_model_reload", None)
    if load is None:  # reForge loads it at once
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


def is_chosen_loaded() -> bool:
    """Tell whether the checkpoint that is chosen in the page is the loaded one."""
    data: Any = getattr(sd_models, "model_data", None)
    parameters = chosen()
    return parameters is None or data.forge_hash == str(parameters)


@contextmanager
def with_choice(parameters: Any) -> Iterator[None]:
    """Let pictures be made with the checkpoint that `chosen` has returned earlier, whatever is chosen by now."""
    data: Any = getattr(sd_models, "model_data", None)
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
def kept_checkpoint() -> Iterator[None]:
    """Load the present checkpoint again if others have loaded another one in the block; leave them their choice."""
    data: Any = getattr(sd_models, "model_data", None)
    loaded_by = _choices.get(data.forge_hash)
    try:
        yield
    finally:
        if loaded_by is not None and data.forge_hash != str(loaded_by):
            with with_choice(loaded_by):
                load_chosen()


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
