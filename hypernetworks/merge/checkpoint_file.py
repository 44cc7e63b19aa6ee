"""Checkpoints as `.safetensors` files: read tensor by tensor, and copied with some tensors changed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import torch
from torch import Tensor

from ..base.atomic import atomic_write
from ..base.errors import WorkbenchError

_PREFIX_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000
_CHUNK_BYTES = 1 << 22
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class CheckpointError(WorkbenchError):
    """A checkpoint cannot be read or written."""


@dataclasses.dataclass(frozen=True)
class _Entry:
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class CheckpointFile(Mapping[str, Tensor]):
    """An open checkpoint; the tensors are read when they are asked for. A context manager that closes the file.

    Raises:
        CheckpointError: no `.safetensors` file, or a broken one.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        if path.suffix.lower() != ".safetensors":
            raise CheckpointError(f"{path.name} is no .safetensors file; save the checkpoint as one first")
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as reason:
            raise CheckpointError(f"{path.name} cannot be read: {reason.strerror or reason}") from reason
        with contextlib.ExitStack() as stack:
            stack.callback(self._file.close)
            self._header, self.texts, self._data = self._read_header(path.stat().st_size)
            stack.pop_all()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors."""
        return {name: entry.shape for name, entry in self._header.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._header)

    def __len__(self) -> int:
        return len(self._header)

    def __getitem__(self, name: str) -> Tensor:
        """Read one tensor; raises CheckpointError for a dtype that nothing can be baked into."""
        entry = self._header[name]
        if entry.dtype not in _DTYPES:
            raise CheckpointError(f"{self._name}: {name} is kept as {entry.dtype}; 16 bits at least are needed")
        self._file.seek(self._data + entry.start)
        data = bytearray(self._file.read(entry.end - entry.start))
        return torch.frombuffer(data, dtype=_DTYPES[entry.dtype]).reshape(entry.shape)

    def __enter__(self) -> CheckpointFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write_changed(self, path: Path, changes: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
        """Write a copy, whole or not at all, in which `changes` replace tensors; all others stay bit for bit.

        Args:
            changes: tensors of the dtype and shape they replace; asked for one at a time.
            texts: added to the metadata.

        Raises:
            CheckpointError: the disk refuses the file.
        """
        header: dict[str, Any] = {"__metadata__": {**self.texts, **texts}}
        for name, entry in self._header.items():
            header[name] = {
                "dtype": entry.dtype,
                "shape": list(entry.shape),
                "data_offsets": [entry.start, entry.end],
            }
        data = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        data += b" " * (-len(data) % _PREFIX_BYTES)
        with atomic_write(path, CheckpointError) as file:
            file.write(len(data).to_bytes(_PREFIX_BYTES, "little") + data)
            for name, entry in sorted(self._header.items(), key=lambda item: (item[1].start, item[1].end)):
                if name in changes:
                    file.write(changes[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
                else:
                    self._copy(file, entry)

    def _copy(self, file: IO[bytes], entry: _Entry) -> None:
        self._file.seek(self._data + entry.start)
        left = entry.end - entry.start
        while left:
            chunk = self._file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise CheckpointError(f"{self._name} is cut short")
            file.write(chunk)
            left -= len(chunk)

    def _read_header(self, size: int) -> tuple[dict[str, _Entry], dict[str, str], int]:
        length = int.from_bytes(self._file.read(_PREFIX_BYTES), "little")
        data = _PREFIX_BYTES + length
        if length > min(_MAX_HEADER_BYTES, size - _PREFIX_BYTES):
            raise CheckpointError(f"{self._name} is damaged: its header is longer than the file or far too large")
        try:
            header = json.loads(self._file.read(length))
            texts = {str(key): str(text) for key, text in dict(header.pop("__metadata__", {})).items()}
            entries = {str(name): _entry(value) for name, value in header.items()}
        except _BROKEN as reason:
            raise CheckpointError(f"{self._name} is damaged: its header cannot be read") from reason
        position = 0
        for entry in sorted(entries.values(), key=lambda one: (one.start, one.end)):
            if entry.start != position:
                raise CheckpointError(f"{self._name} is damaged: its header leaves a gap or an overlap in the data")
            position = entry.end
        if data + position != size:
            raise CheckpointError(f"{self._name} is damaged: its data has another length than its header says")
        return entries, texts, data


def _entry(value: Mapping[str, Any]) -> _Entry:
    start, end = (int(place) for place in value["data_offsets"])
    entry = _Entry(str(value["dtype"]), tuple(int(length) for length in value["shape"]), start, end)
    known = _DTYPES.get(entry.dtype)
    if min(start, end - start, *entry.shape, 0) < 0:
        raise ValueError(entry)
    if known and end - start != math.prod(entry.shape) * known.itemsize:
        raise ValueError(entry)
    return entry
