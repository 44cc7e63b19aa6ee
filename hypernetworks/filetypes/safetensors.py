"""What the header of a `.safetensors` file of unknown origin tells, also where the file is cut short."""

from __future__ import annotations

from typing import IO, Any

from ..base.outside import UnfitTextError, parse_json
from .names import Names

MAX_HEADER_BYTES = 8 << 20
_PREFIX_BYTES = 8


def has_prefix(head: bytes) -> bool:
    """Tell whether a file that begins with `head` can be a `.safetensors`."""
    return head[_PREFIX_BYTES : _PREFIX_BYTES + 1] == b"{" and _header_bytes(head) <= MAX_HEADER_BYTES


def is_cut(file: IO[bytes], size: int) -> bool:
    """Tell whether an open file of `size` bytes that has the prefix is shorter than its header says."""
    file.seek(0)
    length = _header_bytes(file.read(_PREFIX_BYTES))
    if size < _PREFIX_BYTES + length:
        return True
    ends = [_end(entry) for entry in (_header(file) or {}).values()]
    return size < _PREFIX_BYTES + length + max(ends, default=0)


def names(file: IO[bytes]) -> Names | None:
    """Return the names of the tensors in an open file with the prefix of a `.safetensors`; None for a broken header."""
    header = _header(file)
    return None if header is None else Names(tuple(header), (), bool(header))


def _header(file: IO[bytes]) -> dict[str, Any] | None:
    file.seek(0)
    length = _header_bytes(file.read(_PREFIX_BYTES))
    try:
        header: dict[str, Any] = parse_json(file.read(length).decode("utf-8"))
    except (UnfitTextError, UnicodeDecodeError):
        return None
    header.pop("__metadata__", None)
    return header


def _header_bytes(head: bytes) -> int:
    return int.from_bytes(head[:_PREFIX_BYTES], "little")


def _end(entry: Any) -> int:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    return offsets[-1] if isinstance(offsets, list) and offsets and isinstance(offsets[-1], int) else 0
