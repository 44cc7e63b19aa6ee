"""VAEs in files of their own, in place of that of the checkpoint; named as the WebUI's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.disk import walk
from hypernetwork_workbench.hypernetworks.files import state_dicts

from modules import paths, shared

log = logging.getLogger("workbench.host")

vae_dict: dict[str, str] = {}
"""The files by name."""


def refresh_vae_list() -> None:
    """Look for files in models/VAE."""
    vae_dict.clear()
    folder = Path(paths.models_path, "VAE")
    for path in walk(folder).files if folder.is_dir() else ():
        if path.suffix.lower() in state_dicts.SUFFIXES:
            vae_dict.setdefault(path.name, str(path))


def reload_vae_weights() -> None:
    """Put the VAE of the settings into the loaded model, or its own back.

    Raises:
        HypernetworkFileError, UnfitError: the file cannot be read, or has another shape; the model is as it was.
    """
    model = shared.__dict__.get("sd_model")
    if model is not None:  # else it is done when one is loaded
        put_into(model)


def put_into(model: Any) -> None:
    """Do it for a model, which keeps its own weights meanwhile. Raises as `reload_vae_weights` does."""
    weights = dict(model.first_stage_model.named_parameters())
    base: dict[str, torch.Tensor] = model.__dict__.setdefault("base_vae", {})
    name = shared.opts.sd_vae
    if name == "None":
        wanted = dict(base)
    elif name in vae_dict:
        with state_dicts.opened(Path(vae_dict[name])) as (names, get):
            wanted = state_dicts.fitting(weights, ["first_stage_model."], names, get)
    else:
        raise FileNotFoundError(f"There is no VAE {name} in {Path(paths.models_path, 'VAE')}.")
    if not base:
        base.update({key: weight.detach().clone() for key, weight in weights.items()})
    with torch.no_grad():
        for key, tensor in wanted.items():
            weights[key].copy_(tensor)
    if name == "None":
        base.clear()
    log.info("The VAE is %s", "the checkpoint's own" if name == "None" else f"that of {name}")
