"""The text model that the host's setting names: in the model while a picture is made, and its own again afterwards."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices, sd_models, shared

from ...hypernetworks.base.errors import SettingsError
from . import text_files
from .chosen import in_place
from .text_files import FIELD
from .weights import TEXT, Exchange, read

#: What was read last, kept for the next picture with what it was read for.
_kept: tuple[tuple[Any, ...], list[Exchange]] | None = None
#: What is in the model for the picture that is being made.
_present: list[Exchange] = []
#: The jobs that are being done, each inside the one before it.
_jobs: list[Any] = []


@contextmanager
def made(p: Any) -> Iterator[None]:
    """Make the pictures of a job with the text model of the setting, and name it in their infotext.

    One that cannot be used is told under the pictures, which the model makes with its own. A run that is drawing a
    preview has its own choice in the model.
    """
    _jobs.append(p)
    try:
        if len(_jobs) == 1 and TEXT not in in_place():
            _put_in()
        _name(p)
        with _empty_prompt():
            yield
    finally:
        _jobs.pop()
        if not _jobs:
            _take_out()


@contextmanager
def changing_checkpoint(info: Any, is_forced: bool) -> Iterator[None]:
    """Let the host load another checkpoint in the middle of a job, which gets the text model too."""
    wanted = info or sd_models.select_checkpoint()
    if not _present or (not is_forced and shared.sd_model.sd_checkpoint_info.filename == wanted.filename):
        yield
        return
    _take_out()
    try:
        yield
    finally:
        _put_in()
        _name(_jobs[-1])


def forget() -> None:
    """Keep no weights of a file in memory."""
    global _kept  # noqa: PLW0603 - the weights last used
    _kept = None


def _put_in() -> None:
    try:
        exchanges = _read(_jobs[-1])
    except SettingsError as error:
        _jobs[-1].comment(f"CLIP text model was not used: {error.reason}.")
        return
    for exchange in exchanges:
        exchange.swap()
        _present.append(exchange)


def _take_out() -> None:
    while _present:
        _present.pop().swap()


def _read(p: Any) -> list[Exchange]:
    """Return the weights of the setting for the loaded model; none where nothing is chosen."""
    global _kept  # noqa: PLW0603
    path = text_files.wanted(p)
    if path is None:
        _kept = None
        return []
    model = shared.sd_model
    dtypes = frozenset(weight.dtype for weight in model.cond_stage_model.parameters())
    place = (text_files.state_of(path), weakref.ref(model.cond_stage_model), dtypes)
    if _kept is None or _kept[0] != place:
        _kept = None  # both at once may be more than there is memory for
        _kept = (place, read(TEXT, path))
    return _kept[1]


def _name(p: Any) -> None:
    params = getattr(p, "extra_generation_params", None)
    if isinstance(params, dict):
        label = next((exchange.label for exchange in _present), in_place().get(TEXT))
        params.pop(FIELD, None)
        if label:
            params[FIELD] = label


@contextmanager
def _empty_prompt() -> Iterator[None]:
    """Let the host fill up shorter prompts with what this text model makes of none; it has computed that at loading."""
    model = shared.sd_model
    before = getattr(model, "cond_stage_model_empty_prompt", None)
    if not _present or before is None or not getattr(shared.opts, "pad_cond_uncond", False):
        yield
        return
    host: Any = sd_models  # the embedded one fills up nothing
    with devices.autocast(), torch.no_grad():
        model.cond_stage_model_empty_prompt = host.get_empty_cond(model)
    try:
        yield
    finally:
        model.cond_stage_model_empty_prompt = before
