"""Writes torch's `.pt` container with the three kinds of member that every reader accepts."""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import IO, Any

import torch
from torch._utils import _rebuild_tensor_v2

from ..base.errors import HypernetworkFileError
from ..kernels.tensors import raw_bytes
from . import pickle_reader
from .pickle_names import STORAGES

ARCHIVE = "archive"
ALIGNMENT = 64
MAX_DEPTH = 32
_LOCAL_HEADER_BYTES = 30
_EXTRA_HEADER_BYTES = 4
_STORAGE_NAMES = {dtype: name for name, dtype in STORAGES.items()}


class _Storage:
    """Stands for a storage while the description is pickled."""

    def __init__(self, key: str, tensor: torch.Tensor) -> None:
        self.key = key
        self.tensor = tensor


class _Tensor:
    """Stands for a tensor while the description is pickled."""

    def __init__(self, storage: _Storage) -> None:
        self.storage = storage

    def __reduce__(self) -> tuple[Any, ...]:
        tensor = self.storage.tensor
        stride = torch.empty(tensor.shape, device="meta").stride()
        return _rebuild_tensor_v2, (self.storage, 0, tuple(tensor.shape), tuple(stride), False, OrderedDict())


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, _Storage):
            return None
        kind = getattr(torch, _STORAGE_NAMES[obj.tensor.dtype])
        return "storage", kind, obj.key, "cpu", obj.tensor.numel()


def write(file: IO[bytes], value: Any) -> None:
    """Write plain values and tensors to an open file so that the WebUI, ComfyUI and `weights_only` read it.

    Only `data.pkl`, `version` and `data/N` are written: older readers refuse the members that newer versions of torch
    add. Numbers of numpy become plain ones.

    Raises:
        HypernetworkFileError: a value that is neither plain nor a tensor, where the message names its place; or one
            that we would not read again.
    """
    description, tensors = _described(value)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _write_member(archive, "data.pkl", memoryview(description))
        for index, tensor in enumerate(tensors):
            _write_member(archive, f"data/{index}", raw_bytes(tensor))
        _write_member(archive, "version", memoryview(b"3\n"))


def check(value: Any) -> None:
    """Raise the HypernetworkFileError that `write` would raise for `value`."""
    _described(value)


def _described(value: Any) -> tuple[bytes, list[torch.Tensor]]:
    """Return the pickled description of `value`, which is sure to be read again, and its tensors in order."""
    tensors: list[torch.Tensor] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=2).dump(_plain(value, "", tensors, 0))
    description = stream.getvalue()
    pickle_reader.read(description)
    return description, tensors


def _plain(value: Any, place: str, tensors: list[torch.Tensor], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise HypernetworkFileError(f"{place[:80]} is cyclic or nested too deep to be written")
    if isinstance(value, torch.Tensor):
        if value.dtype not in _STORAGE_NAMES or value.layout != torch.strided:
            raise HypernetworkFileError(f"{place} is a tensor of a kind that cannot be written ({value.dtype})")
        tensors.append(value.detach())
        return _Tensor(_Storage(str(len(tensors) - 1), tensors[-1]))
    if isinstance(value, Mapping):
        return {
            _plain_scalar(key, place): _plain(item, f"{place}[{key!r}]", tensors, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        items = [_plain(item, f"{place}[{index}]", tensors, depth + 1) for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    return _plain_scalar(value, place)


def _plain_scalar(value: Any, place: str) -> Any:
    """Convert subclasses and numpy's scalars to what the safe readers accept."""
    if value is None or isinstance(value, bool):
        return value
    kinds: tuple[type, ...] = (int, float, str, bytes)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return _plain_scalar(value.item(), place)
    raise HypernetworkFileError(f"{place or 'the value'} is a {type(value).__name__}, which a file cannot hold")


def _write_member(archive: zipfile.ZipFile, name: str, data: memoryview) -> None:
    """Write one member, padded so that its bytes start at a multiple of 64, as torch does for memory mapping."""
    member = zipfile.ZipInfo(f"{ARCHIVE}/{name}")
    member.file_size = data.nbytes
    start = archive.fp.tell() + _LOCAL_HEADER_BYTES + len(member.filename) + _EXTRA_HEADER_BYTES  # type: ignore[union-attr]
    padding = -start % ALIGNMENT
    member.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
    with archive.open(member, "w") as stream:
        stream.write(data)
