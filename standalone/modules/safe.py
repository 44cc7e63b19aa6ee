"""Reads checkpoint files without running anything that is in them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from hypernetwork_workbench.hypernetworks.base.errors import HypernetworkFileError
from hypernetwork_workbench.hypernetworks.files import torch_reader

#: What training libraries leave in a checkpoint beside its tensors.
_PACKAGES = ("pytorch_lightning", "lightning", "omegaconf")
_NAMES = frozenset(
    {"collections.defaultdict", "_codecs.encode", "numpy.core.multiarray.scalar", "numpy.dtype", "torch.device"}
    | {f"{place}.{kind}" for place in ("builtins", "__builtin__") for kind in ("dict", "list", "set", "int", "float")}
)


def load(path: str | Path) -> Any:
    """Return what a `torch.save` zip file holds, on the CPU, with None for objects of training libraries.

    The tensors are views of the file, mapped into memory.

    Raises:
        HypernetworkFileError: it is not such a file, it is damaged, or it asks for code.
    """
    if not zipfile.is_zipfile(path):
        raise HypernetworkFileError("it is not a file that torch.save writes (an old or damaged format)")
    with Path(path).open("rb") as file:
        return torch_reader.read_mapped(file, os.fstat(file.fileno()).st_size, _is_skipped)


def _is_skipped(name: str) -> bool:
    return name in _NAMES or name.split(".", maxsplit=1)[0] in _PACKAGES
