"""Finds checkpoints and loads them."""

from __future__ import annotations

import hashlib
import importlib
import logging
import re
import threading
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file

from modules import devices, hashes, paths_internal, safe, sd_models_config, shared
from modules.sd_models_config import CheckpointError

log = logging.getLogger("workbench.host")
EXTENSIONS = (".safetensors", ".ckpt")
DEMO = Path("examples", "demo.safetensors")

checkpoints_list: dict[str, CheckpointInfo] = {}
checkpoint_aliases: dict[str, CheckpointInfo] = {}
_load_lock = threading.RLock()


def model_hash(filename: str) -> str:
    """The WebUI's old short hash, of 64 KB at one megabyte; "NOFILE" if there is no file."""
    try:
        with Path(filename).open("rb") as file:
            file.seek(0x100000)
            return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]
    except FileNotFoundError:
        return "NOFILE"


class CheckpointInfo:
    """A checkpoint file and the names it goes by."""

    def __init__(self, filename: str) -> None:
        path = Path(filename)
        self.filename = str(path)
        self.is_safetensors = path.suffix.lower() == ".safetensors"
        self.name = path.name
        self.name_for_extra = self.model_name = path.stem
        self.hash = model_hash(self.filename)
        self.sha256 = hashes.sha256_from_cache(self.filename, f"checkpoint/{self.name}")
        self.ids: list[str] = []
        self._rename()

    def _rename(self) -> None:
        self.shorthash = self.sha256[:10] if self.sha256 else None
        mark = f" [{self.shorthash}]" if self.shorthash else ""
        self.title, self.short_title = self.name + mark, self.name_for_extra + mark
        self.ids = [self.hash, self.model_name, self.name, f"{self.name} [{self.hash}]", self.title, self.short_title]
        if self.sha256 and self.shorthash:
            self.ids += [self.shorthash, self.sha256]

    def register(self) -> None:
        """Makes the checkpoint known under all its names."""
        checkpoints_list[self.title] = self
        checkpoint_aliases.update(dict.fromkeys(self.ids, self))

    def calculate_shorthash(self) -> str | None:
        """First ten digits of the sha256; None with --no-hashing."""
        self.sha256 = hashes.sha256(self.filename, f"checkpoint/{self.name}")
        checkpoints_list.pop(self.title, None)
        self._rename()
        self.register()
        return self.shorthash


def list_models() -> None:
    """Looks for checkpoints: --ckpt or the demo first, then models/Stable-diffusion."""
    checkpoints_list.clear()
    checkpoint_aliases.clear()
    first = Path(shared.cmd_opts.ckpt or Path(paths_internal.script_path, DEMO))
    folder = Path(paths_internal.models_path, "Stable-diffusion")
    others = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS) if folder.is_dir() else []
    for path in [first, *others]:
        if path.is_file():
            CheckpointInfo(str(path)).register()


def checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles of the known checkpoints."""
    return [info.short_title if use_short else info.title for info in checkpoints_list.values()]


def choose_first() -> None:
    """Makes --ckpt, or the demo where nothing was ever chosen, the checkpoint of the settings."""
    if checkpoints_list and (shared.cmd_opts.ckpt or not shared.opts.sd_model_checkpoint):
        shared.opts.sd_model_checkpoint = next(iter(checkpoints_list.values())).name


def get_closet_checkpoint_match(search_string: str | None) -> CheckpointInfo | None:
    """The checkpoint of a title, name or hash, or the first whose title contains the text."""
    if not search_string:
        return None
    if search_string in checkpoint_aliases:
        return checkpoint_aliases[search_string]
    bare = re.sub(r"\s*\[[^\]]+\]\s*$", "", search_string)
    found = [info for info in checkpoints_list.values() if search_string in info.title or bare in info.title]
    return min(found, key=lambda info: len(info.title), default=None)


def select_checkpoint() -> CheckpointInfo:
    """The checkpoint of the settings, else the first one; raises FileNotFoundError if there is none."""
    wanted = shared.opts.sd_model_checkpoint
    info = checkpoint_aliases.get(wanted) if wanted else None
    if info is None and wanted:
        log.warning("The checkpoint %s of the settings is not there; the first one is taken", wanted)
    info = info or next(iter(checkpoints_list.values()), None)
    if info is None:
        raise FileNotFoundError(
            "There is no checkpoint: examples/demo.safetensors is missing and --ckpt was not given."
        )
    return info


def read_state_dict(checkpoint_file: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, on the CPU, under SD's key names; raises CheckpointError, executes nothing."""
    path = Path(checkpoint_file)
    if path.suffix.lower() not in EXTENSIONS:
        raise CheckpointError(f"{path.name} is neither a .safetensors nor a .ckpt file.")
    try:
        content: Any = load_file(path) if path.suffix.lower() == ".safetensors" else safe.load(path)
    except (OSError, ValueError, safetensors.SafetensorError, safe.UnsafeFileError) as error:
        raise CheckpointError(f"{path.name} cannot be read: {error}.") from error
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    result = {}
    for key, tensor in content.items():
        if isinstance(key, str) and isinstance(tensor, torch.Tensor):
            old = re.match(r"(cond_stage_model\.transformer\.)(embeddings|encoder|final_layer_norm)\.", key)
            result[f"{old[1]}text_model.{key[old.end(1) :]}" if old else key] = tensor
    return result


def check(checkpoint_file: str) -> None:
    """Raises CheckpointError, with the reason, if a file is no checkpoint that can be loaded."""
    path = Path(checkpoint_file)
    if not path.is_file():
        raise CheckpointError(f"{path} is not there.")
    sd_models_config.find_checkpoint_config(read_state_dict(checkpoint_file), path)


def _split_text(state_dict: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], bool]:
    """Takes the text encoder's weights out of the state dict; True for SD2's OpenCLIP."""
    sd_text = importlib.import_module("modules.sd_text")
    prefix = "cond_stage_model."
    text = {key.removeprefix(prefix): state_dict.pop(key) for key in list(state_dict) if key.startswith(prefix)}
    if sd_models_config.OPENCLIP_TEXT.removeprefix(prefix) in text:
        return sd_text.openclip_to_transformers(text), True
    root = "transformer."
    return {key.removeprefix(root): tensor for key, tensor in text.items() if key.startswith(root)}, False


def build(state_dict: dict[str, torch.Tensor], path: Path) -> Any:
    """The model of a state dict, which is used up; raises CheckpointError."""
    params = sd_models_config.find_checkpoint_config(state_dict, path)
    text, is_sd2 = _split_text(state_dict)
    sd_ldm, sd_text = (importlib.import_module(f"modules.{name}") for name in ("sd_ldm", "sd_text"))
    encoder = (params.get("cond_stage_config") or {}).get("params") or {}
    # Built without memory; the checkpoint's tensors become the weights.
    with torch.device("meta"):
        model = sd_ldm.LatentDiffusion(params, sd_text.text_config(text, encoder, is_sd2), skip=int(is_sd2))
    state_dict.update({f"cond_stage_model.transformer.{key}": tensor for key, tensor in text.items()})
    weights = {}
    for key in model.state_dict():
        if key not in state_dict:
            raise CheckpointError(f"{path.name} lacks {key}.")
        half = devices.dtype_unet if not key.startswith("first_stage_model.") else devices.dtype_vae
        # Copied: a tensor that is a view of the mapped file would change with the file.
        weights[key] = state_dict.pop(key).to(device=devices.device, dtype=half, copy=True)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path.name} does not fit its config: {str(error).splitlines()[-1].strip()}") from error
    model.restore_buffers()
    model = model.to(devices.device).eval().requires_grad_(True)
    model.model.diffusion_model.dtype = devices.dtype_unet
    if "parameterization" not in params:
        unet = params["unet_config"]["params"]
        is_v = is_sd2 and sd_models_config.predicts_v(model.model.diffusion_model, unet["context_dim"])
        model.parameterization = "v" if is_v else "eps"
    return model


def load_model(checkpoint_info: CheckpointInfo | None = None) -> Any:
    """Loads a checkpoint, the one of the settings by default, and makes it `shared.sd_model`."""
    with _load_lock:
        info = checkpoint_info or select_checkpoint()
        log.info("Loading %s", info.filename)
        info.calculate_shorthash()
        model = build(read_state_dict(info.filename), Path(info.filename))
        model.sd_checkpoint_info = info
        model.sd_model_hash = info.shorthash or info.hash
        model.sd_model_checkpoint = info.filename
        sd_hijack = importlib.import_module("modules.sd_hijack")
        sd_hijack.model_hijack.hijack(model)
        shared.sd_model = model
        importlib.import_module("modules.script_callbacks").model_loaded_callback(model)
        return model


def get_model() -> Any:
    """The loaded model; loads it, or waits for the thread that does."""
    with _load_lock:
        return shared.__dict__.get("sd_model") or load_model()


def reload_model_weights(sd_model: Any = None, info: CheckpointInfo | None = None) -> Any:
    """Loads the checkpoint of the settings, or the given one, unless it is the loaded one."""
    with _load_lock:
        wanted = info or select_checkpoint()
        model = shared.__dict__.get("sd_model")
        if model is not None and model.sd_checkpoint_info.filename == wanted.filename:
            return model
        shared.__dict__.pop("sd_model", None)
        devices.torch_gc()
        return load_model(wanted)
