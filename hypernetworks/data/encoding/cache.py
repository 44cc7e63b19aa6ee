"""The encoders' output kept on disk: the next run on the same pictures and texts need not encode them again.

One safetensors file for each picture or text, named by a fingerprint of all it was made of. Files are written whole
or not at all and never changed, so that two runs may share the folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor

from ...base.atomic import atomic_write, not_regular, sweep
from ...base.errors import DatasetError
from ...base.forms import Array, Record, Row, Table, Text, UnfitError, Whole
from ...base.outside import UnfitTextError, read_bytes, read_json
from ...base.stamps import Stamp, stamp

_VERSION = 2
_ENDING = ".safetensors"
_KNOWN = "pictures.json"
_MB = 1 << 20
_MAX_BYTES = 64 * _MB
_MAX_JSON_BYTES = 16 * _MB
_MAX_HEADER_BYTES = 4096
_LENGTH_BYTES = 8
_MAX_PICTURES = 100_000
_MAX_WARNINGS = 8
#: Beside what is stored: the hash of it, so that a file of other numbers in the same shapes is told apart.
_DIGEST = "digest"
_DIGEST_FORM = Array((32,), torch.uint8)
_HASH = Text(64, "[0-9a-f]{64}")
_SIDE = Whole(1, 100_000_000)
_PICTURES = Record({"pictures": Table(_HASH, Row((_SIDE, _SIDE)), _MAX_PICTURES), _DIGEST: _HASH})
#: What safetensors raises for a file that is damaged, or has a dtype that torch does not know.
_BROKEN = (safetensors.SafetensorError, KeyError, ValueError)
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
    _warnings: int = 0
    _known: tuple[Stamp | None, dict[str, tuple[int, int]]] = field(default_factory=lambda: (None, {}))

    def load(self, name: str, form: Record) -> dict[str, Tensor] | None:
        """Return what is stored under `name`; None where nothing is, or something else than was stored there.

        Args:
            form: the tensors that must be there.
        """
        path = self.folder / (name + _ENDING)
        self.used.add(path.name)
        try:
            found = _checked(name, read_bytes(path, _MAX_BYTES), form)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, *_BROKEN) as error:
            self._warn(f"The kept latents in {path.name} cannot be read and are made again: {error}")
            return None
        with suppress(OSError):  # a read-only folder will do
            os.utime(path)  # pruning goes by the time of last use
        return found

    def store(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Store `tensors`. If the disk refuses them, that is logged once and they are only encoded again."""
        path = self.folder / (name + _ENDING)
        self.used.add(path.name)
        content = {key: tensor.contiguous() for key, tensor in tensors.items()}
        self._write(path, save({**content, _DIGEST: _digest(name, content)}))

    def known_pictures(self) -> dict[str, tuple[int, int]]:
        """Return the sizes of pictures, by digest, that were opened without an error; read once, until others write."""
        now = stamp(self.folder / _KNOWN)
        if now is None or now != self._known[0]:
            self._known = now, self._read_known()
        return self._known[1]

    def _read_known(self) -> dict[str, tuple[int, int]]:
        try:
            return _checked_pictures(read_json(self.folder / _KNOWN, _MAX_JSON_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, UnfitTextError, UnfitError) as error:  # nothing is lost: the pictures are opened again
            self._warn(f"{_KNOWN} among the kept latents cannot be read and is made again: {error}")
            return {}

    def remember_pictures(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Add pictures that were opened without an error. Of two runs that write at once, one may lose its entries."""
        known = self.known_pictures()
        if any(known.get(digest) != size for digest, size in sizes.items()):
            pictures = dict([*known.items(), *sizes.items()][-_MAX_PICTURES:])
            content = {"pictures": pictures, _DIGEST: _digest_of_pictures(pictures)}
            self._write(self.folder / _KNOWN, json.dumps(content).encode())

    def prune(self) -> int:
        """Delete what was unused for longest until the folder is within its limit; return how many files went."""
        sweep(self.folder)
        entries = sorted(self._entries(), key=lambda entry: entry[1].st_mtime_ns)
        total = sum(status.st_size for _, status in entries)
        gone = 0
        for path, status in entries:
            if total <= self.limit_mb * _MB:
                break
            if path.name in self.used:
                continue
            with suppress(OSError):  # another run pruned it, or reads it right now
                path.unlink()
                gone += 1
            total -= status.st_size
        return gone

    def _entries(self) -> Iterable[tuple[Path, os.stat_result]]:
        with suppress(OSError):  # a folder that cannot be listed is not pruned
            for path in self.folder.glob(f"*{_ENDING}"):
                with suppress(OSError):  # another run pruned it
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        yield path, status

    def _write(self, path: Path, data: bytes) -> None:
        if self._is_full or not_regular(path) is not None:  # what is in the way was told of when it was read
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(path, DatasetError) as file:
                file.write(data)
        except (OSError, DatasetError) as error:
            self._is_full = True
            _log.warning("Latents are not kept for the next run: %s", error)

    def _warn(self, sentence: str) -> None:
        self._warnings += 1
        if self._warnings <= _MAX_WARNINGS:
            _log.warning("%s", sentence)
        elif self._warnings == _MAX_WARNINGS + 1:
            _log.warning("More of the kept latents cannot be read and are made again.")


def _checked(name: str, data: bytes, form: Record) -> dict[str, Tensor]:
    """Return the tensors in the bytes of a file; raises UnfitError or one of `_BROKEN`."""
    if int.from_bytes(data[:_LENGTH_BYTES], "little") > _MAX_HEADER_BYTES:
        raise UnfitError("its header is too long")
    # Read as a whole: a mapped file is opened twice, and another run may prune it in between.
    found = Record({**form.fields, _DIGEST: _DIGEST_FORM}, form.optional).take(load(data))
    digest = found.pop(_DIGEST)
    if not torch.equal(digest, _digest(name, found)):
        raise UnfitError("its numbers are not those that were stored")
    return found


def _digest(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return the SHA-256 of tensors stored under `name`, as [32] bytes."""
    found = hashlib.sha256(name.encode())
    for key, tensor in sorted(tensors.items()):
        found.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return torch.frombuffer(bytearray(found.digest()), dtype=torch.uint8)


def _checked_pictures(value: Any) -> dict[str, tuple[int, int]]:
    """Return the sizes of pictures in the value of their file; raises UnfitError."""
    found = _PICTURES.take(value)
    if found[_DIGEST] != _digest_of_pictures(found["pictures"]):
        raise UnfitError("its sizes are not those that were stored")
    return found["pictures"]


def _digest_of_pictures(sizes: Mapping[str, tuple[int, int]]) -> str:
    return hashlib.sha256(json.dumps(sizes, sort_keys=True).encode()).hexdigest()
