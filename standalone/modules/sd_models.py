"""Finds checkpoints and loads them."""

from __future__ import annotations

import importlib
import logging
import re
import threading
from pathlib import Path
from typing import Any

import safetensors
import torch
from hypernetwork_workbench.hypernetworks.base.disk import walk
from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.base.forms import UnfitError
from safetensors.torch import load_file

from modules import devices, hashes, paths, safe, script_callbacks, sd_models_config, shared
from modules.sd_models_config import CheckpointError

log = logging.getLogger("workbench.host")
EXTENSIONS = (".safetensors", ".ckpt")
DEMO = Path("examples", "demo.safetensors")

checkpoints_list: dict[str, CheckpointInfo] = {}
"""The checkpoints by file name; of two of the same name the first."""
_load_lock = threading.RLock()


class CheckpointInfo:
    """A checkpoint file and the names it goes by."""

    def __init__(self, filename: str) -> None:
        path = Path(filename)
        self.filename, self.name = str(path), path.name
        self.name_for_extra = self.model_name = path.stem
        self.sha256: str | None = None
        self.shorthash: str | None = None


def list_models() -> None:
    """Look for checkpoints: --ckpt or the demo first, then models/Stable-diffusion."""
    checkpoints_list.clear()
    first = Path(shared.cmd_opts.ckpt or Path(paths.script_path, DEMO))
    folder = Path(paths.models_path, "Stable-diffusion")
    others = walk(folder).files if folder.is_dir() else ()
    for path in (first, *others):
        if path.is_file() and (path is first or path.suffix.lower() in EXTENSIONS):
            checkpoints_list.setdefault(path.name, CheckpointInfo(str(path)))


def checkpoint_tiles() -> list[str]:
    """Return the names of the known checkpoints."""
    return list(checkpoints_list)


def choose_first() -> None:
    """Make --ckpt, or the demo where nothing was ever chosen, the checkpoint of the settings."""
    if checkpoints_list and (shared.cmd_opts.ckpt or not shared.opts.sd_model_checkpoint):
        shared.opts.sd_model_checkpoint = next(iter(checkpoints_list))


def select_checkpoint() -> CheckpointInfo:
    """Return the checkpoint of the settings, else the first one; raises FileNotFoundError if there is none."""
    wanted = shared.opts.sd_model_checkpoint
    if wanted in checkpoints_list:
        return checkpoints_list[wanted]
    if wanted:
        log.warning("The checkpoint %s of the settings is not there; the first one is taken", wanted)
    if not checkpoints_list:
        raise FileNotFoundError(
            "There is no checkpoint: examples/demo.safetensors is missing and --ckpt was not given."
        )
    return next(iter(checkpoints_list.values()))


def read_state_dict(checkpoint_file: str) -> dict[str, torch.Tensor]:
    """Return a checkpoint's tensors, on the CPU, under SD's key names; nothing is executed. Raises CheckpointError."""
    path = Path(checkpoint_file)
    if path.suffix.lower() not in EXTENSIONS:
        raise CheckpointError(f"{path.name} is neither a .safetensors nor a .ckpt file.")
    try:
        content: Any = load_file(path) if path.suffix.lower() == ".safetensors" else safe.load(path)
    except (OSError, ValueError, safetensors.SafetensorError, HypernetworkFileError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {error}.") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    # The first checkpoints name the text encoder's parts without `text_model`.
    old = re.compile(r"^cond_stage_model\.transformer\.(?=embeddings\.|encoder\.|final_layer_norm\.)")
    return {
        old.sub("cond_stage_model.transformer.text_model.", key): tensor
        for key, tensor in content.items()
        if isinstance(key, str) and isinstance(tensor, torch.Tensor)
    }


def check(checkpoint_file: str) -> None:
    """Raise CheckpointError, with the reason, if a file is no checkpoint that can be loaded."""
    path = Path(checkpoint_file)
    if not path.is_file():
        raise CheckpointError(f"{path} is not there.")
    sd_models_config.find_checkpoint_config(read_state_dict(checkpoint_file), path)


def build(state_dict: dict[str, torch.Tensor], path: Path) -> Any:
    """Build the model of a state dict, which is emptied; raises CheckpointError."""
    params = sd_models_config.find_checkpoint_config(state_dict, path)
    marks = sd_models_config.MARKS & state_dict.keys()
    # Imported only now: the page is up sooner without `transformers`.
    family = importlib.import_module("modules.sd_models_xl" if sd_models_config.is_sgm(params) else "modules.sd_ldm")
    # Built without memory; the checkpoint's tensors become the weights.
    with torch.device("meta"):
        model = family.hollow(params, state_dict)
    weights = {}
    for key in model.state_dict():
        if key not in state_dict:
            raise CheckpointError(f"{path.name} lacks {key}.")
        dtype = devices.dtype_vae if key.startswith("first_stage_model.") else devices.dtype_unet
        # Copied: a tensor that is a view of the mapped file would change with the file.
        weights[key] = state_dict.pop(key).to(device=devices.device, dtype=dtype, copy=True)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path.name} does not fit its config: {str(error).splitlines()[-1].strip()}") from error
    model.restore_buffers()
    model = model.to(devices.device).eval().requires_grad_(True)
    unet = model.model.diffusion_model
    unet.dtype = devices.dtype_unet
    if model.parameterization is None:
        is_v = sd_models_config.predicts_v(unet, params["unet_config"]["params"]["context_dim"])
        model.parameterization = "v" if is_v else "eps"
    sd_models_config.heed_marks(model, marks)
    return model


def load_model(info: CheckpointInfo) -> Any:
    """Load a checkpoint and make it `shared.sd_model`."""
    log.info("Loading %s", info.filename)
    model = build(read_state_dict(info.filename), Path(info.filename))
    info.sha256 = hashes.sha256(info.filename, f"checkpoint/{info.name}")
    info.shorthash = info.sha256[:10] if info.sha256 else None
    model.sd_checkpoint_info, model.sd_model_hash = info, info.shorthash
    importlib.import_module("modules.sd_hijack").apply_optimizations()
    if shared.opts.sd_vae != "None":
        try:
            importlib.import_module("modules.sd_vae").put_into(model)
        except (OSError, HypernetworkFileError, UnfitError) as error:
            log.warning("The VAE %s of the settings is not used: %s", shared.opts.sd_vae, error)
    shared.sd_model = model
    importlib.import_module("modules.sd_hijack").model_hijack.embedding_db.load_textual_inversion_embeddings(True)
    script_callbacks.model_loaded_callback(model)
    return model


def get_model() -> Any:
    """Return the loaded model: load that of the settings, or wait for the thread that does."""
    with _load_lock:
        return shared.__dict__.get("sd_model") or load_model(select_checkpoint())


def reload_model_weights(info: CheckpointInfo | None = None) -> Any:
    """Load the checkpoint of the settings, or the given one, unless it is the loaded one."""
    with _load_lock:
        wanted = info or select_checkpoint()
        model = shared.__dict__.get("sd_model")
        if model is not None and model.sd_checkpoint_info.filename == wanted.filename:
            return model
        del model
        shared.__dict__.pop("sd_model", None)
        devices.torch_gc()
        return load_model(wanted)
