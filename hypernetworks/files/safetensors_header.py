"""The header of a `.safetensors` file: what tensors it has and where, and its metadata.

`safetensors.safe_open` does not tell where a tensor lies, opens by a path alone, takes a header of up to 100 MB, and
maps the file, so that one that is cut short under it ends the process.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import torch
from torch import Tensor

from ..base.outside import parse_json

PREFIX_BYTES = 8
MAX_ENTRIES = 20_000
_MAX_AXES = 8
_MAX_COUNT = 2**63 - 1  # what torch counts with
#: Dtypes that weights are computed with, by their names in the header.
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
#: What reading a damaged header raises.
BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class HeaderError(ValueError):
    """A header is damaged, or does not fit its file; the message tells what is wrong without the file's name."""


@dataclass(frozen=True)
class TensorEntry:
    """A tensor in the file.

    Attributes:
        dtype: its name in the header, which may be none of `DTYPES`.
        start, end: its bytes, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """A header that fits its file: the tensors fill the rest of the file without a gap.

    Attributes:
        entries: the tensors by name, in the order of the header.
        texts: the metadata; texts in a sound file.
        data_start: the byte after the header.
    """

    entries: Mapping[str, TensorEntry]
    texts: Mapping[str, Any]
    data_start: int

    def tensor(self, file: IO[bytes], name: str) -> Tensor:
        """Read one tensor, of a dtype in `DTYPES`, into memory of its own; raises HeaderError for data cut short."""
        entry = self.entries[name]
        file.seek(self.data_start + entry.start)
        data = bytearray(file.read(entry.end - entry.start))
        if len(data) != entry.end - entry.start:
            raise HeaderError("its data is cut short")
        dtype = DTYPES[entry.dtype]
        if not data:
            return torch.empty(entry.shape, dtype=dtype)
        return torch.frombuffer(data, dtype=dtype).reshape(entry.shape)


def read(file: IO[bytes], size: int, most_bytes: int) -> Header:
    """Read the header of an open file of `size` bytes.

    Args:
        most_bytes: no header may be longer.

    Raises:
        HeaderError: it is longer, damaged, or does not fit the file.
    """
    length = int.from_bytes(file.read(PREFIX_BYTES), "little")
    if length > min(most_bytes, size - PREFIX_BYTES):
        raise HeaderError("its header is longer than the file or far too large")
    try:
        header = parse_json(file.read(length).decode("utf-8"), object_pairs_hook=_no_doubles)
        texts = dict(header.pop("__metadata__", {}))
    except BROKEN as reason:
        raise HeaderError(f"its header is damaged ({type(reason).__name__})") from reason
    if len(header) > MAX_ENTRIES:
        raise HeaderError(f"its header has more than {MAX_ENTRIES:,} tensors")
    try:
        entries = {name: _entry(value) for name, value in header.items()}
    except BROKEN as reason:
        raise HeaderError(f"its header is damaged ({type(reason).__name__})") from reason
    position = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.end)):
        if entry.start != position:
            raise HeaderError("its header leaves a gap or an overlap in the data")
        position = entry.end
    data_start = PREFIX_BYTES + length
    if data_start + position != size:
        raise HeaderError("its data has another length than its header says")
    return Header(entries, texts, data_start)


def placed(tensors: Mapping[str, Tensor]) -> dict[str, TensorEntry]:
    """Return the entries of tensors that are written one after the other."""
    entries, position = {}, 0
    for name, tensor in tensors.items():
        entry = TensorEntry(_NAMES[tensor.dtype], tuple(tensor.shape), position, position + tensor.nbytes)
        entries[name], position = entry, entry.end
    return entries


def to_bytes(entries: Mapping[str, TensorEntry], texts: Mapping[str, Any]) -> bytes:
    """Return what a file begins with; raises UnicodeEncodeError for half a character in `texts`."""
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    for name, entry in entries.items():
        header[name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [entry.start, entry.end]}
    data = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    data += b" " * (-len(data) % PREFIX_BYTES)
    return len(data).to_bytes(PREFIX_BYTES, "little") + data


def _entry(value: Mapping[str, Any]) -> TensorEntry:
    numbers = [*value["data_offsets"], *value["shape"]]
    if len(value["shape"]) > _MAX_AXES or not all(type(one) is int and 0 <= one <= _MAX_COUNT for one in numbers):
        raise ValueError(value["dtype"])
    start, end = value["data_offsets"]
    entry = TensorEntry(str(value["dtype"]), tuple(value["shape"]), start, end)
    dtype = DTYPES.get(entry.dtype)
    if end < start:
        raise ValueError(entry)
    if dtype is not None and end - start != math.prod(entry.shape) * dtype.itemsize:
        raise ValueError(entry)
    return entry


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is there twice")
    return values
