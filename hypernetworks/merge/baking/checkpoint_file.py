"""Checkpoints as `.safetensors` files: read tensor by tensor, and copied with some tensors changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from torch import Tensor

from ...base.atomic import atomic_write
from ...base.errors import WorkbenchError
from ...files import safetensors_header
from ...files.safetensors_header import HeaderError, TensorEntry
from ...kernels.tensors import raw_bytes

_MAX_HEADER_BYTES = 100_000_000
_CHUNK_BYTES = 1 << 22


class CheckpointError(WorkbenchError):
    """A checkpoint cannot be read or written."""


class CheckpointFile(Mapping[str, Tensor]):
    """An open checkpoint whose tensors are read on access; a context manager that closes the file.

    Raises:
        CheckpointError: the file is no `.safetensors` file, or broken.
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
            with self._named():
                self._header = safetensors_header.read(self._file, path.stat().st_size, _MAX_HEADER_BYTES)
            stack.pop_all()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors."""
        return {name: entry.shape for name, entry in self._header.entries.items()}

    @property
    def texts(self) -> dict[str, str]:
        """The metadata."""
        return {key: str(text) for key, text in self._header.texts.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._header.entries)

    def __len__(self) -> int:
        return len(self._header.entries)

    def __getitem__(self, name: str) -> Tensor:
        """Return one tensor; raises CheckpointError for a dtype that nothing can be baked into."""
        entry = self._header.entries[name]
        if entry.dtype not in safetensors_header.DTYPES:
            raise CheckpointError(f"{self._name}: {name} is kept as {entry.dtype}; 16 bits at least are needed")
        with self._named():
            return self._header.tensor(self._file, name)

    def __enter__(self) -> CheckpointFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write_changed(self, path: Path, changes: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
        """Write a copy, whole or not at all, in which `changes` replace tensors; all others are the same bit for bit.

        Args:
            changes: tensors of the dtype and shape that they replace; read one at a time.
            texts: added to the metadata.

        Raises:
            CheckpointError: the disk refuses the file.
        """
        entries = self._header.entries
        with atomic_write(path, CheckpointError) as file:
            file.write(safetensors_header.to_bytes(entries, {**self.texts, **texts}))
            for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
                if name in changes:
                    file.write(raw_bytes(changes[name]))
                else:
                    self._copy(file, entry)

    def _copy(self, file: IO[bytes], entry: TensorEntry) -> None:
        self._file.seek(self._header.data_start + entry.start)
        left = entry.end - entry.start
        while left:
            chunk = self._file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise CheckpointError(f"{self._name} is cut short")
            file.write(chunk)
            left -= len(chunk)

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Put the name of the file in front of the reason of an error."""
        try:
            yield
        except HeaderError as reason:
            raise CheckpointError(f"{self._name} cannot be read: {reason}") from reason
