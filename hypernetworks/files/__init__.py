"""Reads and writes hypernetwork files: `.pt`, its `.optim`, and `.safetensors`. Loading never executes anything."""

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch

from ..base.atomic import atomic_write
from ..base.disk import UnfitFileError, open_regular
from ..base.errors import HypernetworkFileError, SettingsError
from ..base.forms import Text, UnfitError, check_memory
from ..base.outside import reason_of, shown_name
from ..filetypes import recognise
from ..network.file_forms import DTYPES, SUFFIXES
from ..network.hypernetwork import Hypernetwork
from . import safetensors_form, torch_reader, torch_writer
from .format import Document, check_widths, from_state, metadata_state, weights_state
from .portable import portable_problems, renumber, without_dropout

__all__ = [
    "SUFFIXES",
    "Content",
    "interpret",
    "load",
    "load_optimizer_state",
    "optimizer_path",
    "read_content",
    "read_document",
    "read_plain",
    "save",
    "save_optimizer_state",
    "short_hash",
]

SHORT_HASH_LENGTH = 10
MAX_NAME_LENGTH = 100
_SNIFFED_BYTES = 9


def load(path: str | os.PathLike[str]) -> Hypernetwork:
    """Load a hypernetwork, float32 on the CPU and in evaluation mode, from a `.pt` or `.safetensors` file.

    The content decides how a file is read, not its name. Nothing in it is executed, whatever the version of torch and
    whatever replaced `torch.load`; the memory needed is bounded by the size of the file.

    Raises:
        HypernetworkFileError: with the file's name and the reason.
    """
    with _named(path):
        return read_document(path).network()


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read a file without building the network, so that broken weights can be seen; raises HypernetworkFileError."""
    return interpret(read_content(path), path)


@dataclasses.dataclass(frozen=True)
class Content:
    """The content of a file, not interpreted yet.

    Attributes:
        form: `zip` or `legacy` for a torch file, else `safetensors`.
        members: names inside the zip, else empty.
        state: the value of the file; of a `.safetensors` as it would be in a `.pt`.
    """

    form: str
    members: tuple[str, ...]
    state: Any


def read_content(path: str | os.PathLike[str]) -> Content:
    """Return the plain values and tensors of a hypernetwork's file.

    Raises:
        HypernetworkFileError: it is damaged, or something else; where that can be known, the reason says what it is.
    """
    with _named(path), _open(path) as (file, size), _recognised(file, size, path):
        start = file.read(_SNIFFED_BYTES)
        file.seek(0)
        if start[:2] == b"PK":
            state, members = torch_reader.read_zip(file, size, check_widths)
            return Content("zip", members, state)
        if start[8:] == b"{":
            return Content("safetensors", (), safetensors_form.read(file, size))
        return Content("legacy", (), torch_reader.read_legacy(file, size, check_widths))


def interpret(content: Content, path: str | os.PathLike[str]) -> Document:
    """Interpret the content of the file at `path` as a hypernetwork; raises HypernetworkFileError where it is none."""
    with _named(path):
        return from_state(content.state, Path(path).stem)


def save(
    net: Hypernetwork, path: str | os.PathLike[str], portable: bool = False, dtype: torch.dtype | None = None
) -> None:
    """Write a network whole or not at all; the suffix, `.pt` or `.safetensors`, decides the form.

    Args:
        portable: write the form that every reader gets right, without dropout; only for `.pt`.
        dtype: float32, float16 or bfloat16; None keeps the dtype of the weights.

    Raises:
        SettingsError: `dtype` is none of the three.
        HypernetworkFileError: no such suffix, a symbolic link, weights that are not finite or do not fit the dtype,
            a network without a portable form, or a disk that refuses the file. The old file stays as it was.
    """
    if dtype is not None and dtype not in DTYPES.values():
        raise SettingsError("dtype", f"must be one of {', '.join(DTYPES)}, not {dtype}")
    target = Path(path)
    with _named(path):
        if target.suffix not in SUFFIXES:
            raise HypernetworkFileError(f"its name must end in {' or '.join(SUFFIXES)}")
        if target.is_symlink():
            raise HypernetworkFileError("it is a symbolic link; name the file it points to")
        if target.suffix == ".safetensors":
            if portable:
                raise HypernetworkFileError("the portable form is a .pt file; no other reader opens .safetensors")
            with atomic_write(path) as file:
                safetensors_form.write(file, net, dtype)
            return
        state = _state(net, portable, dtype)
        with atomic_write(path) as file:
            torch_writer.write(file, state)


def short_hash(path: str | os.PathLike[str]) -> str:
    """Return the first ten hex digits of a file's SHA-256, as `.optim` files hold it; raises HypernetworkFileError."""
    digest = hashlib.sha256()
    with _named(path), _open(path) as (file, _):
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:SHORT_HASH_LENGTH]


def optimizer_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of the optimizer state that belongs to the network at `path`."""
    return Path(f"{os.fspath(path)}.optim")


def save_optimizer_state(path: str | os.PathLike[str], name: str, state: dict[str, Any], file_hash: str) -> None:
    """Write an optimizer's state to `path`, which ends in `.optim`.

    Args:
        name: the optimizer's name.
        state: what its `state_dict()` gives.
        file_hash: `short_hash` of the network file just written, to which this state belongs.

    Raises:
        HypernetworkFileError: a value that is neither plain nor a tensor, or a disk that refuses the file.
    """
    content = {"optimizer_name": name, "hash": file_hash, "optimizer_state_dict": state}
    with _named(path):
        if Path(path).is_symlink():
            raise HypernetworkFileError("it is a symbolic link; name the file it points to")
        with atomic_write(path) as file:
            torch_writer.write(file, content)


def load_optimizer_state(path: str | os.PathLike[str], file_hash: str) -> tuple[str, dict[str, Any]] | None:
    """Read an optimizer's name and state from `path`; None where there is no file or it belongs to another network.

    Args:
        file_hash: `short_hash` of the network file the state must belong to.

    Raises:
        HypernetworkFileError: the file is there, but broken.
    """
    if not Path(path).exists():
        return None
    with _named(path), _open(path) as (file, size):
        content = _plain(file, size)
        if not isinstance(content, dict) or not isinstance(content.get("optimizer_state_dict", {}), dict):
            raise HypernetworkFileError("it is no optimizer state")
        state = content.get("optimizer_state_dict")
        if content.get("hash") != file_hash or not state:
            return None
        try:
            check_memory(state)
            return Text(MAX_NAME_LENGTH).take(content.get("optimizer_name", "AdamW"), "optimizer_name"), state
        except UnfitError as reason:
            raise HypernetworkFileError(str(reason)) from reason


def read_plain(path: str | os.PathLike[str]) -> Any:
    """Read the plain values and tensors of any torch file; raises HypernetworkFileError."""
    with _named(path), _open(path) as (file, size):
        return _plain(file, size)


def _plain(file: IO[bytes], size: int) -> Any:
    is_zip = file.read(2) == b"PK"
    file.seek(0)
    return torch_reader.read_zip(file, size)[0] if is_zip else torch_reader.read_legacy(file, size)


def _state(net: Hypernetwork, portable: bool, dtype: torch.dtype | None) -> dict[Any, Any]:
    pairs, structure = weights_state(net, dtype), net.structure
    if portable:
        problems = portable_problems(structure, net.metadata)
        if problems:
            raise HypernetworkFileError(f"it has no portable form: {'; '.join(problems)}")
        pairs, structure = renumber(pairs, structure), without_dropout(structure)
    return {**pairs, **metadata_state(structure, net.metadata)}


@contextlib.contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the file's name in front of the reason of an error, once."""
    name = shown_name(path)
    try:
        yield
    except HypernetworkFileError as reason:
        if str(reason).startswith(f"{name}: "):
            raise
        raise HypernetworkFileError(f"{name}: {reason}") from reason


@contextlib.contextmanager
def _recognised(file: IO[bytes], size: int, path: str | os.PathLike[str]) -> Iterator[None]:
    """Put what the file is in place of the reason why it cannot be read as a network, where that can be known."""
    try:
        yield
    except HypernetworkFileError as reason:
        told = recognise(file, size, Path(path).name)
        if told is None:
            raise
        raise HypernetworkFileError(told) from reason


@contextlib.contextmanager
def _open(path: str | os.PathLike[str]) -> Iterator[tuple[IO[bytes], int]]:
    """Open a regular file for reading, links followed; yield it with its size in bytes."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise HypernetworkFileError(recognise(file, size, Path(path).name) or "it is empty")
            yield file, size
    except FileNotFoundError as reason:
        raise HypernetworkFileError("there is no such file") from reason
    except UnfitFileError as reason:
        raise HypernetworkFileError(reason.strerror) from reason
    except (OSError, ValueError) as reason:
        raise HypernetworkFileError(f"it cannot be read ({reason_of(reason)})") from reason
