"""Weights of a part of a folder in the form of diffusers: safetensors or .bin, in fp16 variants or several files."""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ...hypernetworks.base.encodings import UnfitTextError
from ...hypernetworks.base.errors import AdapterError
from ...hypernetworks.base.outside import read_json

#: Names of weight files, the best one first; `{}` is the variant.
_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
_VARIANTS = ("", ".fp16", ".bf16", ".non_ema")
_ENDINGS = (".safetensors", ".bin")
_INDEX = ".index.json"
#: What attention in VAEs was called before diffusers 0.17, whose files are still used.
_OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
#: What stands before the names of CLIP's weights with transformers before 5, in files as well.
_PREFIX = "text_model."
#: A buffer of positions that old files of CLIP have and new ones have not.
_NO_WEIGHTS = ("position_ids",)
_SHOWN = 3
_CHUNK_BYTES = 1 << 22


def files_of(folder: Path) -> tuple[Path, ...]:
    """Return the files with the weights of a part.

    Raises:
        AdapterError: there are none, or one of several is missing.
    """
    for ending in _ENDINGS:
        for stem in _STEMS:
            for variant in _VARIANTS:
                whole = folder / f"{stem}{variant}{ending}"
                if whole.is_file():
                    return (whole,)
                # An index stands beside weights in several files: NAME.safetensors.index.fp16.json, or .fp16 in front.
                for index in (whole.with_name(whole.name + _INDEX), folder / f"{stem}{ending}.index{variant}.json"):
                    if index.is_file():
                        return _listed(index)
    raise AdapterError(f"{folder.name} has no weights: neither .safetensors nor .bin")


def _listed(index: Path) -> tuple[Path, ...]:
    try:
        table = read_json(index, 64 << 20)
        names = sorted({str(name) for name in table["weight_map"].values()})
    except (OSError, UnfitTextError, TypeError, KeyError, AttributeError) as error:
        raise AdapterError(f"{index.parent.name}/{index.name} cannot be read: {error}") from error
    files = tuple(index.parent / Path(name).name for name in names)
    if gone := [file.name for file in files if not file.is_file()]:
        raise AdapterError(f"{index.parent.name}/{gone[0]} is missing, a part of its weights")
    return files


def read(files: Iterable[Path]) -> dict[str, Tensor]:
    """Return the tensors of files; pickles are read without running code.

    Raises:
        AdapterError: one cannot be read.
    """
    found: dict[str, Tensor] = {}
    for path in files:
        try:
            tensors = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
            found |= {str(name): each for name, each in tensors.items() if isinstance(each, Tensor)}
        except pickle.UnpicklingError as error:
            raise AdapterError(f"{path.parent.name}/{path.name} holds more than weights, and is not read") from error
        except (OSError, EOFError, RuntimeError, ValueError, AttributeError, safetensors.SafetensorError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise AdapterError(f"{path.parent.name}/{path.name} is broken: {reason}") from error
    return found


def _unpickled(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wonders about the protocol of pickles that are none of torch's
        return torch.load(path, map_location="cpu", weights_only=True)


def fill(module: nn.Module, part: str, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Give a module that was built on torch's meta device its weights, frozen.

    Raises:
        AdapterError: some are missing, or are of another shape; names `part`.
    """
    wanted = module.state_dict()
    named = {_present_name(name, wanted): tensor for name, tensor in tensors.items()}
    missing = [name for name in wanted if name not in named and not name.endswith(_NO_WEIGHTS)]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        raise AdapterError(f"the weights of {part} lack {len(missing)} of {len(wanted)} tensors: {shown}")
    for name, tensor in wanted.items():
        if name in named and named[name].shape != tensor.shape:
            is_, should = (list(each.shape) for each in (named[name], tensor))
            raise AdapterError(f"{name} of {part} has the shape {is_}, and {part}/config.json says {should}")
        if name in named and tensor.is_floating_point() and not named[name].is_floating_point():
            kind = str(named[name].dtype).removeprefix("torch.")
            raise AdapterError(f"{name} of {part} has numbers of the kind {kind}, quantised: take the plain weights")
    # Copies: what is mapped from a file would change with it, and where it begins there some kernels round otherwise.
    used = {name: each for name, each in named.items() if name in wanted and each.is_floating_point()}
    given = {name: each.to(dtype, copy=True) for name, each in used.items()}
    module.load_state_dict(given, strict=False, assign=True)
    for name, buffer in list(module.named_buffers()):
        if buffer.is_meta:  # CLIP's numbers of positions
            owner = module.get_submodule(name.rpartition(".")[0])
            owner.register_buffer(name.rpartition(".")[2], torch.arange(buffer.numel()).view(buffer.shape), False)
    module.eval().requires_grad_(False)


def _present_name(name: str, wanted: Mapping[str, Tensor]) -> str:
    """Return what a module calls a tensor of a file that was written by another version of its library."""
    renamed = ".".join(_OLD_NAMES.get(each, each) for each in name.split("."))
    return next((each for each in (name, renamed, name.removeprefix(_PREFIX), _PREFIX + name) if each in wanted), name)


def digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files in this order."""
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                found.update(chunk)
    return found.hexdigest()


def as_text(config: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same values."""
    return json.dumps(config, sort_keys=True, ensure_ascii=False)
