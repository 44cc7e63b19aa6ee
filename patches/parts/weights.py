"""Weights of VAE and text encoder from other files, in place of the checkpoint's; the old bits come back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from modules import processing, shared
from torch import Tensor, nn

from ...hypernetworks import files
from ...hypernetworks.base.errors import HypernetworkFileError, SettingsError
from ...hypernetworks.base.forms import UnfitError
from ...hypernetworks.base.outside import shown_path
from ...hypernetworks.files import clip_names, state_dicts

VAE, TEXT = "vae", "text_model"
#: Where jobs of the host keep prompts, of the first pass and of the second.
_CACHES = ("cached_c", "cached_uc", "cached_hr_c", "cached_hr_uc")


@dataclass
class Exchange:
    """The weights of a part that are not in the model: those of a file, or the model's own while these are in it.

    Attributes:
        setting: `VAE` or `TEXT`.
        number: of several text encoders.
        label: the file and the start of its SHA-256.
        kept: by the names that the part has for them.
    """

    setting: str
    number: int
    label: str
    kept: dict[str, Tensor] = field(default_factory=dict)

    def swap(self) -> None:
        """Exchange them with those of the loaded model, wherever it is now."""
        _take_out_loras(self.setting)
        weights = _parts(self.setting)[self.number]
        with torch.no_grad():
            for name, kept in list(self.kept.items()):
                weight = weights[name]
                self.kept[name] = weight.detach().to("cpu", copy=True)
                weight.copy_(kept)
        if self.setting == TEXT:
            forget_prompts()


def read(setting: str, path: Path) -> list[Exchange]:
    """Return what a file has for a part of the loaded model, not in it yet.

    Raises:
        SettingsError: it cannot be read, or has nothing of that shape; names `model.vae` or `model.text_model`.
    """
    found: dict[int, dict[str, Tensor]] = {}
    problems = []
    try:
        with state_dicts.opened(path) as (names, get):
            forms = [(names, get), *([clip_names.renamed(names, get)] if setting == TEXT else [])]
            for number, weights in enumerate(_parts(setting)):
                of_text = ["cond_stage_model.", f"conditioner.embedders.{number}."]
                prefixes = ["first_stage_model."] if setting == VAE else of_text
                for form in forms:
                    try:
                        found[number] = state_dicts.fitting(weights, prefixes, *form)
                        break
                    except UnfitError as error:
                        problems.append(str(error))
    except HypernetworkFileError as error:
        raise SettingsError(f"model.{setting}", str(error)) from error
    if not found:
        name, why = shown_path(path), problems[0]
        raise SettingsError(
            f"model.{setting}",
            f"{name} has no VAE of the shape of this model's: {why}"
            if setting == VAE
            else f"{name} has no text encoder of the shape of this model's: {why}",
        )
    name = label(path)
    return [Exchange(setting, number, name, kept) for number, kept in found.items()]


def label(path: Path) -> str:
    """Return the name of a file of weights with the start of its SHA-256; raises HypernetworkFileError."""
    file = state_dicts.weights_file(path)
    name = file.name if file == path else f"{path.name}/{file.name}"
    return f"{name} [{files.short_hash(file)}]"


def forget_prompts() -> None:
    """Let the host encode prompts again, which it keeps by their text alone."""
    for kind in ("StableDiffusionProcessing", "StableDiffusionProcessingTxt2Img"):
        for name in _CACHES:
            cache = getattr(getattr(processing, kind, None), name, None)
            if isinstance(cache, list):
                cache[:] = [None] * len(cache)  # a job that has begun holds the same list


def _take_out_loras(setting: str) -> None:
    """Give the layers of a part their own weights, where the host has put LoRAs into them; it does so again itself."""
    loras: Any = sys.modules.get("networks")
    if not all(hasattr(loras, f"network_{what}") for what in ("restore_weights_from_backup", "reset_cached_weight")):
        return
    with torch.no_grad():
        for layer in _module(setting).modules():
            if hasattr(layer, "network_current_names"):
                loras.network_restore_weights_from_backup(layer)
                loras.network_reset_cached_weight(layer)


def _module(setting: str) -> nn.Module:
    model = shared.sd_model
    module: nn.Module = model.first_stage_model if setting == VAE else model.cond_stage_model
    return module


def _parts(setting: str) -> list[dict[str, Tensor]]:
    """Return the weights of the VAE, or of each text encoder, by the names that checkpoints have for them."""
    encoder = _module(setting)
    if setting == VAE:
        return [dict(_named(encoder))]
    encoders: Iterable[nn.Module] = getattr(encoder, "embedders", None) or [encoder]
    return [weights for one in encoders if (weights := dict(_named(one)))]


def _named(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, weight in module.named_parameters():
        # The host puts its own layers around some, which keep them as `wrapped`.
        yield ".".join(part for part in name.split(".") if part != "wrapped"), weight
