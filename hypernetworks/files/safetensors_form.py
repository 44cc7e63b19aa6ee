"""Reads and writes `.safetensors`: weights as `WIDTH.k.linear.N.weight`, all metadata as text in the header."""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import IO, Any

import torch

from ..base.errors import HypernetworkFileError
from ..base.outside import parse_json
from ..kernels.tensors import raw_bytes
from ..network.hypernetwork import Hypernetwork
from . import modelspec, safetensors_header, torch_writer
from .format import KNOWN_KEYS, metadata_state, weights_state
from .safetensors_header import BROKEN, Header, HeaderError, TensorEntry

MAX_HEADER_BYTES = 8 << 20
FORMAT = "hypernetwork"
_TEXTS = ("name", "activation_func", "weight_initialization", "sd_checkpoint", "sd_checkpoint_name", "optional_info")
_SIDES = ("k", "v")


def write(file: IO[bytes], network: Hypernetwork, dtype: torch.dtype | None) -> None:
    """Write a network to an open file; raises HypernetworkFileError for metadata that JSON cannot hold."""
    tensors = {
        f"{width}.{side}.{name}": tensor
        for width, pair in weights_state(network, dtype).items()
        for side, state in zip(_SIDES, pair, strict=True)
        for name, tensor in state.items()
    }
    data_hash = hashlib.sha256()
    for tensor in tensors.values():
        data_hash.update(raw_bytes(tensor))
    texts = {**_header_texts(network), **modelspec.texts(network, data_hash.hexdigest())}
    file.write(_header_bytes(safetensors_header.placed(tensors), texts))
    for tensor in tensors.values():
        file.write(raw_bytes(tensor))


def read(file: IO[bytes], size: int) -> dict[Any, Any]:
    """Return what a `.pt` of the same network would hold, from an open file of `size` bytes.

    Raises:
        HypernetworkFileError: the file is damaged, or its tensors do not have the names of a hypernetwork's.
    """
    try:
        header = safetensors_header.read(file, size, MAX_HEADER_BYTES)
        state, places = _understood(header)
        for name, (width, side, key) in places.items():
            pair = state.setdefault(width, ({}, {}))
            pair[side][key] = header.tensor(file, name)
    except HeaderError as reason:
        raise HypernetworkFileError(str(reason)) from reason
    return state


def with_text(data: bytes, key: str, text: str | None) -> tuple[bytes, memoryview]:
    """Return the header of a valid file with one text changed, or removed where None, and the bytes of its tensors."""
    header = safetensors_header.read(io.BytesIO(data), len(data), MAX_HEADER_BYTES)
    texts = {**header.texts, key: text}
    if text is None:
        del texts[key]
    return _header_bytes(header.entries, texts), memoryview(data)[header.data_start :]


def _understood(header: Header) -> tuple[dict[Any, Any], dict[str, tuple[int, int, str]]]:
    """Return the metadata, and of each tensor its width, side and name; the order is that of the data."""
    try:
        json.dumps(header.texts, ensure_ascii=False).encode("utf-8")  # lone surrogates could not be written
        metadata = _metadata(dict(header.texts))
        torch_writer.check(metadata)  # a run that starts on this network could not save it
        return metadata, {
            name: _place(name, entry.dtype)
            for name, entry in sorted(header.entries.items(), key=lambda item: item[1].start)
        }
    except BROKEN as reason:
        raise HeaderError(f"its header is damaged ({type(reason).__name__})") from reason


def _place(name: str, dtype: str) -> tuple[int, int, str]:
    width, side, key = name.split(".", 2)
    if dtype not in safetensors_header.DTYPES:
        raise ValueError(dtype)
    return int(width[:20]), _SIDES.index(side), key


def _header_bytes(entries: Mapping[str, TensorEntry], texts: Mapping[str, str | None]) -> bytes:
    try:
        return safetensors_header.to_bytes(entries, texts)
    except UnicodeEncodeError as reason:
        raise HypernetworkFileError(f"its metadata cannot be written as text ({reason.reason})") from reason


def _header_texts(network: Hypernetwork) -> dict[str, str]:
    """Return all metadata as text: text as it is, the rest as JSON, what is absent left out."""
    extra = {key: one for key, one in network.metadata.extra.items() if not modelspec.has(key, one)}
    values = metadata_state(network.structure, network.metadata)
    texts = {"format": FORMAT}
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
    extra = parse_json(texts.pop("extra", "{}"))
    for key, text in texts.items():
        if key == "format" or key in modelspec.MADE:
            continue
        state[key] = text if key in _TEXTS or key not in KNOWN_KEYS else parse_json(text)
    state.update(extra)
    return state
