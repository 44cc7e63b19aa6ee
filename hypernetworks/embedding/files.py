"""Files of embeddings: the WebUI's `.pt`, and `.safetensors`. Loading never executes anything."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor

from ..base.atomic import atomic_write
from ..base.errors import HypernetworkFileError
from ..base.forms import UnfitError
from ..base.outside import UnfitTextError, read_bytes, reason_of, shown_name
from ..files import read_plain, safetensors_header, torch_writer
from ..files.safetensors_form import MAX_HEADER_BYTES
from ..network.hypernetwork import Metadata
from .vectors import PAIR, SINGLE, Vectors

SUFFIXES = (".pt", ".safetensors")
#: 75 vectors of SDXL's two text encoders in float32 take less than a MiB.
_MAX_BYTES = 64 << 20
_MOST_VECTORS, _MOST_WIDTH = 1024, 16384
#: What the WebUI writes beside the vectors; it reads neither.
_TOKEN = {"*": 265}
#: Beside the vectors of two text encoders the WebUI wants tensors alone: the bytes of the metadata as JSON.
_TABLE = "metadata"
_HEADER = "hypernetwork_workbench"


@dataclass(frozen=True)
class EmbeddingFile:
    """What a file holds: the vectors of each text encoder [vectors, width], float32, and what is known of them."""

    vectors: dict[str, Tensor]
    metadata: Metadata


def write(path: Path, vectors: Vectors, metadata: Metadata, dtype: torch.dtype = torch.float32) -> None:
    """Write an embedding whole or not at all; the suffix decides the form.

    Raises:
        HypernetworkFileError: no such suffix, a symbolic link, or a disk that refuses the file.
    """
    if path.suffix not in SUFFIXES:
        raise HypernetworkFileError(f"{path.name}: its name must end in {' or '.join(SUFFIXES)}")
    if path.is_symlink():
        raise HypernetworkFileError(f"{path.name}: it is a symbolic link; name the file it points to")
    tensors = {key: value.detach().to("cpu", dtype).contiguous() for key, value in vectors.items()}
    table = {key: value for key, value in vars(metadata).items() if key != "extra"}
    with atomic_write(path) as file:
        if path.suffix == ".safetensors":
            file.write(save(tensors, {_HEADER: json.dumps(table)}))
        elif SINGLE in tensors:
            known = {key: table[key] for key in ("name", "step", "sd_checkpoint", "sd_checkpoint_name", "training")}
            content = {"string_to_token": _TOKEN, "string_to_param": {"*": tensors[SINGLE]}, **known}
            torch_writer.write(file, content)
        else:
            data = torch.tensor(list(json.dumps(table).encode()), dtype=torch.uint8)
            torch_writer.write(file, {**tensors, _TABLE: data})


def read(path: Path) -> EmbeddingFile:
    """Read an embedding of this or another program.

    Raises:
        HypernetworkFileError: it cannot be read, or is no embedding; names the file.
    """
    name = shown_name(path)
    try:
        content, table = _content(path)
        vectors = {key: _checked(value) for key, value in _vectors(content).items()}
        _check_counts(vectors)
        known = _metadata(table or content)
    except (OSError, UnfitTextError) as error:
        raise HypernetworkFileError(f"{name}: it cannot be read: {reason_of(error)}") from error
    except (UnfitError, ValueError, KeyError, RecursionError, safetensors.SafetensorError) as error:
        raise HypernetworkFileError(f"{name}: this is no embedding: {error}") from error
    return EmbeddingFile(vectors, replace(known, name=known.name or path.stem))


def _content(path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the tensors and values of a file, and the table of its metadata where that stands apart."""
    if path.suffix.lower() == ".safetensors":
        data = read_bytes(path, _MAX_BYTES)
        found: dict[str, Any] = load(data)
        texts = safetensors_header.read(io.BytesIO(data), len(data), MAX_HEADER_BYTES).texts
        return found, _table(texts.get(_HEADER, "{}"))
    content = read_plain(path)
    if not isinstance(content, Mapping):
        raise UnfitError("it holds no table")
    kept = content.get(_TABLE)
    if isinstance(kept, Tensor) and kept.dtype == torch.uint8:
        return content, _table(bytes(kept.flatten().tolist()).decode())
    return content, {}


def _table(text: str) -> Mapping[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, Mapping) else {}


def _vectors(content: Mapping[str, Any]) -> dict[str, Any]:
    parameters = content.get("string_to_param")
    if isinstance(parameters, Mapping):
        content = parameters
    elif all(key in content for key in PAIR):
        return {key: content[key] for key in PAIR}
    tensors = [value for value in content.values() if isinstance(value, Tensor)]
    if len(tensors) != 1:
        raise UnfitError(f"it has {len(tensors)} tensors, not the vectors of one word")
    return {SINGLE: tensors[0]}


def _check_counts(vectors: Vectors) -> None:
    if len({len(value) for value in vectors.values()}) != 1:
        raise UnfitError("its two text encoders have different numbers of vectors")


def _checked(value: Any) -> Tensor:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise UnfitError("its vectors are no numbers")
    found = value.detach().float()
    found = found[None] if found.dim() == 1 else found
    rows, width = found.shape if found.dim() == 2 else (0, 0)  # noqa: PLR2004
    if not 1 <= rows <= _MOST_VECTORS or not 1 <= width <= _MOST_WIDTH:
        raise UnfitError(f"its vectors have the shape {list(value.shape)}")
    if not found.isfinite().all():
        raise UnfitError("its vectors are not finite")
    return found


def _metadata(table: Mapping[str, Any]) -> Metadata:
    def text(key: str) -> str | None:
        return table[key] if isinstance(table.get(key), str) else None

    step, training = table.get("step"), table.get("training")
    return Metadata(
        name=text("name"),
        step=step if isinstance(step, int) and step >= 0 else 0,
        sd_checkpoint=text("sd_checkpoint"),
        sd_checkpoint_name=text("sd_checkpoint_name"),
        training=dict(training) if isinstance(training, Mapping) else {},
    )
