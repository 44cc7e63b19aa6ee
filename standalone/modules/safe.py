"""Reads checkpoint files without running anything that is in them."""

from __future__ import annotations

import collections
import pickle
import types
import zipfile
from pathlib import Path
from typing import Any

import torch


class UnsafeFileError(Exception):
    """A file asks for code that no checkpoint needs."""


class Inert:
    """Stands for an object of a training library inside an old checkpoint: takes anything, does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


_INERT_PACKAGES = ("pytorch_lightning", "lightning", "omegaconf")
_INERT = ("collections.defaultdict", "_codecs.encode", "numpy.core.multiarray.scalar", "numpy.dtype")
_ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": torch._utils._rebuild_parameter,
    "torch.Size": torch.Size,
    "torch.device": torch.device,
    **dict.fromkeys(_INERT, Inert),
    **{
        f"{name}.{kind.__name__}": kind
        for name in ("builtins", "__builtin__")
        for kind in (dict, list, set, int, float)
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return what tensors need; objects of training libraries become `Inert`; refuse everything else."""
        if f"{module}.{name}" in _ALLOWED:
            return _ALLOWED[f"{module}.{name}"]
        if module == "torch" and (name.endswith("Storage") or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        if module.split(".", maxsplit=1)[0] in _INERT_PACKAGES:
            return Inert
        raise UnsafeFileError(f"it asks for {module}.{name}, which no checkpoint needs")


def load(path: str | Path) -> Any:
    """Return the content of a `torch.save` zip file, on the CPU; nothing in it is executed.

    Raises:
        UnsafeFileError: it is not such a file, it is damaged, or it asks for code.
    """
    if not zipfile.is_zipfile(path):
        raise UnsafeFileError("it is not a file that torch.save writes (an old or damaged format)")
    with zipfile.ZipFile(path) as archive:
        if any(name.endswith("/constants.pkl") for name in archive.namelist()):
            raise UnsafeFileError("it is a TorchScript program")
    reader = types.SimpleNamespace(Unpickler=_Unpickler, load=_refuse, __name__="safe_pickle")
    try:
        return torch.load(str(path), map_location="cpu", pickle_module=reader, weights_only=False, mmap=True)
    except UnsafeFileError:
        raise
    except Exception as error:
        raise UnsafeFileError(f"it is damaged ({error})") from error


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise UnsafeFileError("its format is from before torch 1.6")
