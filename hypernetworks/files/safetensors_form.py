"""Reads and writes `.safetensors`: weights as `WIDTH.k.linear.N.weight`, all metadata as text in the header."""

import json
import math
from typing import IO, Any

import torch

from ..base.errors import HypernetworkFileError
from ..network.hypernetwork import Hypernetwork
from .format import KNOWN_KEYS, metadata_state, weights_state

MAX_HEADER_BYTES = 8 << 20
FORMAT = "hypernetwork"
_TEXTS = ("name", "activation_func", "weight_initialization", "sd_checkpoint", "sd_checkpoint_name", "optional_info")
_PREFIX_BYTES = 8
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_ARCHITECTURES = {2048: "stable-diffusion-xl-v1-base", 1024: "stable-diffusion-v2-768-v", 768: "stable-diffusion-v1"}
_SIDES = ("k", "v")
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def write(file: IO[bytes], network: Hypernetwork, dtype: torch.dtype | None) -> None:
    """Write a network to an open file; raises HypernetworkFileError for metadata that JSON cannot hold."""
    tensors = {
        f"{width}.{side}.{name}": tensor
        for width, pair in weights_state(network, dtype).items()
        for side, state in zip(_SIDES, pair, strict=True)
        for name, tensor in state.items()
    }
    header: dict[str, Any] = {"__metadata__": _header_texts(network)}
    position = 0
    for name, tensor in tensors.items():
        end = position + tensor.numel() * tensor.dtype.itemsize
        header[name] = {"dtype": _dtype_name(tensor), "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    file.write(_header_bytes(header))
    for tensor in tensors.values():
        file.write(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)


def read(file: IO[bytes], size: int) -> dict[Any, Any]:
    """Return what a `.pt` of the same network would hold, from an open file of `size` bytes.

    Raises:
        HypernetworkFileError: the file is damaged, or its tensors do not have the names of a hypernetwork's.
    """
    length = int.from_bytes(file.read(_PREFIX_BYTES), "little")
    if length > min(MAX_HEADER_BYTES, size - _PREFIX_BYTES):
        raise HypernetworkFileError("its header is longer than the file or far too large")
    try:
        header = json.loads(file.read(length), object_pairs_hook=_no_doubles)
        texts = dict(header.pop("__metadata__", {}))
        json.dumps(texts, ensure_ascii=False).encode("utf-8")  # lone surrogates could not be written
        state: dict[Any, Any] = _metadata(texts)
        entries = [_Entry(key, value) for key, value in header.items()]
    except _BROKEN as reason:
        raise HypernetworkFileError(f"its header is damaged ({type(reason).__name__})") from reason
    entries.sort(key=lambda entry: entry.start)
    position = 0
    for entry in entries:
        if entry.start != position:
            raise HypernetworkFileError("its header leaves a gap or an overlap in the data")
        position = entry.end
    if position != size - _PREFIX_BYTES - length:
        raise HypernetworkFileError("its data has another length than its header says")
    for entry in entries:
        pair = state.setdefault(entry.width, ({}, {}))
        pair[entry.side][entry.name] = entry.read(file)
    return state


def with_text(data: bytes, key: str, text: str | None) -> tuple[bytes, memoryview]:
    """Return the header of a valid file with one text changed, or removed where None, and the bytes of its tensors."""
    length = int.from_bytes(data[:_PREFIX_BYTES], "little")
    header = json.loads(data[_PREFIX_BYTES : _PREFIX_BYTES + length])
    texts = {**dict(header.get("__metadata__", {})), key: text}
    if text is None:
        del texts[key]
    header["__metadata__"] = texts
    return _header_bytes(header), memoryview(data)[_PREFIX_BYTES + length :]


class _Entry:
    """One tensor of the header."""

    def __init__(self, key: str, value: dict[str, Any]) -> None:
        width, side, self.name = key.split(".", 2)
        self.width = int(width[:20])
        self.side = _SIDES.index(side)
        self.dtype = _DTYPES[value["dtype"]]
        self.shape = [int(length) for length in value["shape"]]
        self.start, self.end = (int(place) for place in value["data_offsets"])
        count = math.prod(self.shape)
        if min([0, *self.shape]) < 0 or self.end - self.start != count * self.dtype.itemsize:
            raise ValueError(key)

    def read(self, file: IO[bytes]) -> torch.Tensor:
        data = bytearray(file.read(self.end - self.start))
        if len(data) != self.end - self.start:
            raise HypernetworkFileError("its data is cut short")
        if not data:
            return torch.empty(self.shape, dtype=self.dtype)
        return torch.frombuffer(data, dtype=self.dtype).reshape(self.shape)


def _header_bytes(header: dict[str, Any]) -> bytes:
    try:
        data = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as reason:
        raise HypernetworkFileError(f"its metadata cannot be written as text ({reason.reason})") from reason
    data += b" " * (-len(data) % _PREFIX_BYTES)
    return len(data).to_bytes(_PREFIX_BYTES, "little") + data


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is there twice")
    return values


def _dtype_name(tensor: torch.Tensor) -> str:
    return _DTYPE_NAMES[tensor.dtype]


def _header_texts(network: Hypernetwork) -> dict[str, str]:
    """Return all metadata as text: text as it is, the rest as JSON, what is absent left out."""
    extra = network.metadata.extra
    values = metadata_state(network.structure, network.metadata)
    texts = {"format": FORMAT, "modelspec.title": network.metadata.name or ""}
    for width, architecture in _ARCHITECTURES.items():
        if width in network.widths:
            texts["modelspec.architecture"] = f"{architecture}/hypernetwork"
            break
    try:
        for key in sorted(KNOWN_KEYS):
            if key not in extra and values.get(key) is not None:
                texts[key] = values[key] if key in _TEXTS else json.dumps(values[key], allow_nan=False)
        if extra:
            texts["extra"] = json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as reason:
        raise HypernetworkFileError(f"its metadata cannot be written as text ({reason})") from reason
    return texts


def _metadata(texts: dict[str, Any]) -> dict[Any, Any]:
    """Return the format's keys from the texts of a header; unknown texts are kept as they are."""
    state: dict[Any, Any] = {}
    extra = json.loads(texts.pop("extra", "{}"))
    for key, text in texts.items():
        if key in {"format", "modelspec.title", "modelspec.architecture"}:
            continue
        state[key] = text if key in _TEXTS or key not in KNOWN_KEYS else json.loads(text)
    state.update(extra)
    return state
