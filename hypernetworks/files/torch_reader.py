"""Reads torch's `.pt` container: a zip, or before 2020 a series of pickles. Nothing in a file is executed."""

import mmap
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, TypeAlias, cast

import torch

from ..base.errors import HypernetworkFileError
from ..filetypes import zips
from . import pickle_reader
from .pickle_reader import SKIPPED, Skips, StorageRef, TensorRef

MAX_DEPTH = 32
MAX_VALUES = 500_000
MAX_MEMBERS = 20_000
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PICKLES = 5
_HEADER_BYTES = 30
#: Looks at a value before its tensors are read; they are references then.
Check: TypeAlias = Callable[[Any], None]


def _unchecked(_value: Any) -> None:
    pass


def read_zip(file: IO[bytes], size: int, check: Check = _unchecked) -> tuple[Any, tuple[str, ...]]:
    """Return the value of an open torch file of `size` bytes, its tensors views of the file's bytes, and its members.

    Args:
        check: looks at the value before its tensors are read, and raises HypernetworkFileError for what is not wanted.

    Raises:
        HypernetworkFileError: the file is no torch file, damaged, compressed, or holds more than plain values.
    """
    with _opened(file) as archive:
        members = _checked_members(archive, size)
        value = _described(archive, members)
        check(value)
        return _filled(value, members, partial(_read_member, archive)), tuple(archive.namelist())


def read_mapped(file: IO[bytes], size: int, skips: Skips) -> Any:
    """Return the value of an open torch file, however large: its tensors are views of the file, mapped into memory.

    Args:
        skips: names that are left out with all that they make; None stands in their place.

    Raises:
        HypernetworkFileError: the file is no torch file, damaged, compressed, or holds more than plain values.
    """
    with _opened(file) as archive:
        # The mapping lives as long as the tensors. What is written into them does not reach the file.
        read = partial(_map_member, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        members = _checked_members(archive, size)
        return _filled(_described(archive, members, skips), members, read)


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        with zips.opened(file) as archive:
            yield archive
    except zips.BROKEN as reason:
        raise HypernetworkFileError(f"it is damaged ({reason})") from reason


def _described(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], skips: Skips = lambda name: False) -> Any:
    """Return the value of a torch file with references in place of its tensors."""
    description = members.get("data.pkl")
    if description is None:
        raise HypernetworkFileError("it is a zip, but has no data.pkl")
    if description.file_size > pickle_reader.MAX_PICKLE_BYTES:
        raise HypernetworkFileError("its description is too large")
    if "byteorder" in members and _read_member(archive, members["byteorder"]) != b"little":
        raise HypernetworkFileError("its numbers are stored for a big-endian machine")
    return _sound(pickle_reader.read(bytes(_read_member(archive, description)), skips=skips)[0])


def _filled(
    value: Any, members: dict[str, zipfile.ZipInfo], read: Callable[[zipfile.ZipInfo], bytearray | memoryview]
) -> Any:
    def load(reference: StorageRef) -> bytearray | memoryview:
        if f"data/{reference.key}" not in members:
            raise HypernetworkFileError("a part of its data is missing")
        return read(members[f"data/{reference.key}"])

    return _Filler(load).fill(value)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytearray:
    data = bytearray(member.file_size)
    with archive.open(member) as file:
        if cast(zipfile.ZipExtFile, file).readinto(data) != len(data) or file.read(1):
            raise HypernetworkFileError("a part of its data is cut short")
    return data


def _map_member(memory: mmap.mmap, member: zipfile.ZipInfo) -> memoryview:
    # Its header is of a fixed length but for the name and more, whose lengths stand at the end.
    name, more = struct.unpack_from("<HH", memory, member.header_offset + _HEADER_BYTES - 4)
    start = member.header_offset + _HEADER_BYTES + name + more
    return memoryview(memory)[start : start + member.file_size]


def _checked_members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the members, by their names below the archive's one folder; all of them must be stored uncompressed."""
    members: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    if len(archive.infolist()) > MAX_MEMBERS:
        raise HypernetworkFileError(f"it is a zip of more than {MAX_MEMBERS:,} parts")
    for member in archive.infolist():
        parts = PurePosixPath(member.filename).parts
        if member.filename.startswith("/") or ".." in parts or "\\" in member.filename:
            raise HypernetworkFileError("it is a zip with a path that leads out of it")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise HypernetworkFileError("it is a compressed zip, which torch never writes")
        name = "/".join(parts[1:])
        if name in members:
            raise HypernetworkFileError(f"it holds {name or 'an entry without a name'} twice")
        folders.add(parts[:1])
        members[name] = member
    if len(folders) > 1:
        raise HypernetworkFileError("it is a zip of several folders, not a torch file")
    if sum(member.file_size for member in members.values()) > size:
        raise HypernetworkFileError("its parts overlap")
    return members


def read_legacy(file: IO[bytes], size: int, check: Check = _unchecked) -> Any:
    """Return the value of a file of torch before 1.6: magic, version, system, value and storage keys, then the data.

    Args:
        check: see `read_zip`.

    Raises:
        HypernetworkFileError: the file is no torch file, damaged, or holds more than plain values.
    """
    head = file.read(pickle_reader.MAX_PICKLE_BYTES)
    values = []
    position = 0
    for index in range(_LEGACY_PICKLES):
        try:
            value, position = pickle_reader.read(head, position)
        except HypernetworkFileError as reason:
            if index == 0:
                raise HypernetworkFileError(f"it is no torch file ({reason})") from reason
            raise
        values.append(value)
        if index == 0 and value != LEGACY_MAGIC:
            raise HypernetworkFileError("it is a bare pickle, not a torch file")
    value = _sound(values[3])
    check(value)
    storages: dict[str, StorageRef] = {}
    _walk(value, lambda tensor: storages.setdefault(tensor.storage.key, tensor.storage))
    file.seek(position)
    blocks = _legacy_blocks(file, values[4], storages, size)
    return _Filler(lambda reference: blocks[reference.key]).fill(value)


def _legacy_blocks(file: IO[bytes], keys: Any, storages: dict[str, StorageRef], size: int) -> dict[str, bytearray]:
    """Read the blocks of numbers, which follow one another in the order of `keys`, each after its count."""
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise HypernetworkFileError("its list of data is damaged")
    blocks = {}
    for key in map(str, keys):
        (count,) = struct.unpack("<q", file.read(8).ljust(8, b"\xff"))
        length = count * storages[key].dtype.itemsize
        if count != storages[key].count or length > size:
            raise HypernetworkFileError("a part of its data is damaged")
        blocks[key] = bytearray(file.read(length))
    return blocks


def _sound(value: Any) -> Any:
    """Return a value as it is; refuse what `_walk` refuses."""
    return _walk(value, lambda reference: reference)


def _walk(value: Any, replace: Callable[[TensorRef], Any]) -> Any:
    """Return a value with each TensorRef replaced; refuse what is too deep, cyclic or far larger than its file."""
    remaining = MAX_VALUES

    def visit(node: Any, depth: int) -> Any:
        nonlocal remaining
        remaining -= 1
        if depth > MAX_DEPTH or remaining < 0:
            raise HypernetworkFileError("its description is cyclic or nested too deep")
        if isinstance(node, TensorRef):
            return replace(node)
        if isinstance(node, dict):
            return {key: visit(item, depth + 1) for key, item in node.items()}
        if isinstance(node, (list, tuple)):
            return type(node)(visit(item, depth + 1) for item in node)
        if node is None or isinstance(node, (bool, int, float, str, bytes)):
            return node
        if node is SKIPPED:
            return None
        raise HypernetworkFileError("its description holds something that is no value")

    return visit(value, 0)


class _Filler:
    """Puts tensors in place of references; each block of numbers is read once, each tensor made once."""

    def __init__(self, load: Callable[[StorageRef], bytearray | memoryview]) -> None:
        self.load = load
        self.storages: dict[str, torch.Tensor] = {}
        self.tensors: dict[int, torch.Tensor] = {}

    def fill(self, value: Any) -> Any:
        """Return `value` with every TensorRef replaced by its tensor."""
        return _walk(value, self._tensor)

    def _tensor(self, reference: TensorRef) -> torch.Tensor:
        if id(reference) not in self.tensors:
            storage = self._storage(reference.storage)
            self.tensors[id(reference)] = torch.as_strided(storage, reference.size, reference.stride, reference.offset)
        return self.tensors[id(reference)]

    def _storage(self, reference: StorageRef) -> torch.Tensor:
        known = self.storages.get(reference.key)
        if known is None:
            data = self.load(reference)
            if len(data) != reference.count * reference.dtype.itemsize:
                raise HypernetworkFileError("a part of its data is cut short")
            # `frombuffer` does not take an empty buffer.
            known = torch.frombuffer(data, dtype=reference.dtype) if data else torch.empty(0, dtype=reference.dtype)
            self.storages[reference.key] = known
        if known.dtype != reference.dtype or known.numel() != reference.count:
            raise HypernetworkFileError("its description gives one part two types")
        return known
