"""The names that a torch file of tensors and plain values may use, each with our own function in its place."""

import dataclasses
import struct
from collections.abc import Callable
from typing import Any

import torch

MAX_AXES = 8
MAX_CODE = 4
MAX_COUNT = 2**63 - 1  # what torch counts with

STORAGES: dict[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

_NUMPY_FORMATS = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u1": "B", "b1": "?"}


@dataclasses.dataclass(frozen=True, eq=False)
class StorageRef:
    """A block of numbers that the file stores outside the pickle."""

    key: str
    dtype: torch.dtype
    count: int


@dataclasses.dataclass(frozen=True, eq=False)
class TensorRef:
    """A tensor as a view of a storage; nothing of it is in memory yet."""

    storage: StorageRef
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class RefusedError(ValueError):
    """The pickle holds something that is not allowed; the message becomes part of a HypernetworkFileError."""


@dataclasses.dataclass(frozen=True)
class Global:
    """A name of the list, which stands for our own function."""

    name: str


class Skipped:
    """An object of a library that is left out, and all that it is asked for."""


SKIPPED = Skipped()


@dataclasses.dataclass(frozen=True)
class NumpyType:
    """The type of a numpy value, by numpy's short code."""

    code: str


def find(name: str) -> Global:
    """Return the entry of a name in the list; raises RefusedError for any other name."""
    name = name.replace(" ", ".")
    if name not in CALLS and _storage_name(name) is None:
        raise RefusedError(f"it asks for {name[:80]!r}, which a network never needs; nothing was executed")
    return Global(name)


def _storage_name(name: str) -> str | None:
    module, _, kind = name.rpartition(".")
    return kind if module in {"torch", "torch.cuda"} and kind in STORAGES else None


def storage(identity: Any) -> StorageRef:
    """Return the storage that a persistent id, torch's name for a block of numbers, means; raises RefusedError."""
    kind, stored, key, _location, count = identity[:5]
    name = _storage_name(stored.name) if isinstance(stored, Global) else None
    if kind != "storage" or name is None or not isinstance(key, (str, int)) or not _is_count(count):
        raise RefusedError("its description names a storage that is none")
    return StorageRef(str(key), STORAGES[name], count)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_COUNT


#: Whether a tensor wants a gradient, and its hooks, stand before what it is to be changed by.
_MARKS = 2


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> TensorRef:
    """Return the view of a tensor, checked; whether the storage has the bytes shows when it is read."""
    if any(isinstance(value, dict) and value for value in rest[_MARKS:]):
        raise RefusedError("its description has a tensor that is to be negated or conjugated")
    sound = isinstance(storage, StorageRef) and _is_count(offset)
    sound = sound and isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) <= MAX_AXES
    if not sound or not all(_is_count(value) for value in (*size, *stride)):
        raise RefusedError("its description has a tensor with an impossible shape")
    end = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
    count = 1
    for length in size:
        count *= length
    if count and (end > storage.count or count > storage.count):
        raise RefusedError("its description has a tensor larger than its data")
    if not count:  # nothing of the storage is used, wherever it would be
        return TensorRef(storage, 0, size, (0,) * len(size))
    return TensorRef(storage, offset, size, stride)


def _size(values: Any) -> tuple[Any, ...]:
    if not isinstance(values, tuple):
        raise RefusedError("its description has a size that is none")
    return values


def _numpy_type(code: Any, *_flags: Any) -> NumpyType:
    if not isinstance(code, str) or len(code) > MAX_CODE:
        raise RefusedError("its description has a numpy type that is none")
    return NumpyType(code.lstrip("<=|"))


def _numpy_scalar(kind: Any, data: Any) -> Any:
    if not isinstance(kind, NumpyType) or not isinstance(data, bytes):
        raise RefusedError("its description has a numpy value that is none")
    return struct.unpack(f"<{_NUMPY_FORMATS[kind.code]}", data)[0]


def _encode(text: Any, _codec: Any) -> bytes:
    if not isinstance(text, str) or len(text) > struct.calcsize("d"):
        raise RefusedError("its description has a numpy value that is none")
    return text.encode("latin1")


CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": lambda: {},
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch.Size": _size,
    "numpy.dtype": _numpy_type,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
    "_codecs.encode": _encode,
}
"""The names that a file may call, each with our own function in its place."""
