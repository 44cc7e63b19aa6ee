"""Reads the tensors of any file of weights by their names, however large it is; nothing in it is executed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from ..base.errors import HypernetworkFileError
from ..base.forms import UnfitError
from ..base.outside import is_file, is_folder, reason_of, shown_path
from . import torch_reader

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
#: Where folders of a model keep its weights; the first that is there counts.
_IN_FOLDERS = ("model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin")
#: What training libraries leave in a checkpoint beside its tensors.
_PACKAGES = ("pytorch_lightning", "lightning", "omegaconf")

#: What files of text encoders alone may lack, and no picture of SD1 and SD2 depends on.
_OPTIONAL = frozenset({"logit_scale", "text_projection"})

Get = Callable[[str], Tensor]


@contextmanager
def opened(path: Path) -> Iterator[tuple[frozenset[str], Get]]:
    """Open a file, or the one in a folder of a model; yield the names of its tensors, and what reads one of them.

    Raises:
        HypernetworkFileError: it is not there, no such file, damaged, or asks for code.
    """
    file = weights_file(path)
    try:
        if file.suffix.lower() == ".safetensors":
            with safetensors.safe_open(file, framework="pt") as tensors:
                yield frozenset(tensors.keys()), tensors.get_tensor
            return
        found = _tensors(file)
    except (OSError, safetensors.SafetensorError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise HypernetworkFileError(f"{shown_path(file)} cannot be read: {reason}") from error
    except HypernetworkFileError as error:
        raise HypernetworkFileError(f"{shown_path(file)}: {error}") from error
    yield frozenset(found), found.__getitem__


def fitting(
    weights: Mapping[str, Tensor], prefixes: Iterable[str], names: frozenset[str], get: Get
) -> dict[str, Tensor]:
    """Return the tensors of an open file for the weights of a part of a model, by their names there and in their dtype.

    Args:
        weights: by the names that they have in the part.
        prefixes: of these names in checkpoints.
        names, get: as `opened` gives them.

    Raises:
        UnfitError: one is missing, or has another shape; says which.
    """
    needed = {name for name in weights if name.rpartition(".")[2] not in _OPTIONAL}
    # As in a checkpoint, alone, or alone without the name of the library's class around it.
    ways = [{name: f"{prefix}{name}" for name in weights} for prefix in ("", *prefixes)]
    ways.append({name: name.partition(".")[2] for name in weights})
    way = max(ways, key=lambda one: sum(name in names for name in one.values()))
    missing = sorted(way[name] for name in needed if way[name] not in names)
    if missing:
        raise UnfitError(f"{missing[0]} is missing")
    found = {name: get(place) for name, place in way.items() if place in names}
    for name, tensor in found.items():
        if tensor.shape != weights[name].shape:
            raise UnfitError(f"{way[name]} is {list(tensor.shape)}, not {list(weights[name].shape)}")
    return {name: tensor.to(weights[name].dtype, copy=True) for name, tensor in found.items()}


def weights_file(path: Path) -> Path:
    """Return the file of weights that a path names: itself, or that in a folder of a model.

    Raises:
        HypernetworkFileError: there is none.
    """
    if is_folder(path):
        inside = next((path / name for name in _IN_FOLDERS if is_file(path / name)), None)
        if inside is None:
            raise HypernetworkFileError(f"{shown_path(path)} is a folder without {' or '.join(_IN_FOLDERS)}")
        return inside
    if not is_file(path):
        raise HypernetworkFileError(f"{shown_path(path)} is not there")
    if path.suffix.lower() not in SUFFIXES:
        raise HypernetworkFileError(f"{shown_path(path)} must end in {', '.join(SUFFIXES)}")
    return path


def _tensors(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        if is_zip:
            found: Any = torch_reader.read_mapped(file, size, _is_skipped)
        else:
            found = torch_reader.read_legacy(file, size)
    if isinstance(found, Mapping):
        found = found.get("state_dict", found)
    items = found.items() if isinstance(found, Mapping) else ()
    return {key: value for key, value in items if isinstance(key, str) and isinstance(value, Tensor)}


def _is_skipped(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in _PACKAGES
