"""The encoders' output kept on disk: the next run on the same pictures and texts need not encode them again.

One safetensors file for each picture or text, named by a fingerprint of all it was made of. Files are written whole
or not at all and never changed, so that two runs may share the folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load, save
from torch import Tensor

from ..base.atomic import atomic_write
from ..base.errors import DatasetError

_VERSION = 1
_ENDING = ".safetensors"
_KNOWN = "pictures.json"
_MB = 1 << 20
_log = logging.getLogger(__name__)


def fingerprint(*parts: Any) -> str:
    """Return a name that is the hash of `parts`, plain values."""
    return hashlib.sha256(json.dumps([_VERSION, *parts]).encode()).hexdigest()


@dataclass
class Cache:
    """A folder of encoded pictures and texts.

    Attributes:
        folder: made when something is first written.
        limit_mb: size beyond which `prune` deletes what was unused for longest.
        used: file names that this run read or wrote; they are not pruned.
    """

    folder: Path
    limit_mb: int
    used: set[str] = field(default_factory=set)
    _is_full: bool = False

    def load(self, name: str) -> dict[str, Tensor] | None:
        """Return what is stored under `name`; None where nothing is, or where it cannot be read."""
        path = self.folder / (name + _ENDING)
        self.used.add(path.name)
        try:
            # Read as a whole: a mapped file is opened twice, and another run may prune it in between.
            found = load(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, safetensors.SafetensorError) as error:
            _log.warning("The kept latents in %s cannot be read and are made again: %s", path.name, error)
            return None
        with suppress(OSError):  # a read-only folder will do
            os.utime(path)  # pruning goes by the time of last use
        return found

    def store(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Store `tensors`. If the disk refuses them, that is logged once and they are only encoded again."""
        path = self.folder / (name + _ENDING)
        self.used.add(path.name)
        self._write(path, save({key: tensor.contiguous() for key, tensor in tensors.items()}))

    def known_pictures(self) -> dict[str, tuple[int, int]]:
        """Return the sizes of pictures, by digest, that were opened without an error."""
        try:
            found = json.loads((self.folder / _KNOWN).read_text(encoding="utf-8"))
            return {digest: (int(width), int(height)) for digest, (width, height) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # nothing is lost: the pictures are opened again

    def remember_pictures(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Add pictures that were opened without an error. Of two runs that write at once, one may lose its entries."""
        known = self.known_pictures()
        if not sizes.keys() <= known.keys():
            self._write(self.folder / _KNOWN, json.dumps({**known, **sizes}).encode())

    def prune(self) -> int:
        """Delete what was unused for longest until the folder is within its limit; return how many files went."""
        entries = sorted(self._entries(), key=lambda entry: entry[1].st_mtime_ns)
        total = sum(stat.st_size for _, stat in entries)
        gone = 0
        for path, stat in entries:
            if total <= self.limit_mb * _MB:
                break
            if path.name in self.used:
                continue
            with suppress(OSError):  # another run pruned it, or reads it right now
                path.unlink()
                gone += 1
            total -= stat.st_size
        return gone

    def _entries(self) -> Iterable[tuple[Path, os.stat_result]]:
        for path in self.folder.glob(f"*{_ENDING}"):
            try:
                yield path, path.stat()
            except FileNotFoundError:
                continue  # another run pruned it

    def _write(self, path: Path, data: bytes) -> None:
        if self._is_full:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(path, DatasetError) as file:
                file.write(data)
        except (OSError, DatasetError) as error:
            self._is_full = True
            _log.warning("Latents are not kept for the next run: %s", error)
