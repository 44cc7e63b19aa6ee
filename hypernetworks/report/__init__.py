"""Reports on a hypernetwork file: structure, sizes, weights, training, and which programs can read it."""

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from .. import files, filetypes
from ..base.disk import open_regular
from ..base.errors import HypernetworkFileError
from ..files.format import Document
from ..network.file_forms import weight_bytes
from ..network.structure import Structure
from .readers import Reader, readers

__all__ = ["Histogram", "LayerStatistics", "Outline", "Reader", "Report", "describe", "outline"]

#: A hash of more takes longer than a page should.
_MOST_HASHED_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True)
class Histogram:
    """The number of values in each of equally wide bins from `low` to `high`."""

    low: float
    high: float
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class LayerStatistics:
    """Statistics of one tensor; mean, std, low and high are of its finite values.

    Attributes:
        side: `k` or `v`.
        zeros: share of values that are exactly 0.
        not_finite: share of values that are NaN or infinite.
    """

    width: int
    side: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    mean: float
    std: float
    low: float
    high: float
    zeros: float
    not_finite: float
    histogram: Histogram | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything worth knowing about a hypernetwork file.

    Attributes:
        form: `zip` or `legacy` for a torch file, else `safetensors`.
        file_bytes: size of the file.
        short_hash: first ten hex digits of its SHA-256.
        layer_widths: width of each layer for each attention width.
        parameters: number of weights.
        dtypes: dtypes of the weights in the file.
        weight_bytes: size of the weights, by each dtype that a file can be saved in.
        problem: why the file is no valid network, None where it is one.
        readers: whether it reads the file, with the reason, by program.
    """

    path: Path
    form: str
    file_bytes: int
    short_hash: str
    name: str
    widths: tuple[int, ...]
    structure: Structure
    layer_widths: dict[int, tuple[int, ...]]
    parameters: int
    dtypes: tuple[str, ...]
    weight_bytes: dict[str, int]
    step: int
    sd_checkpoint: str | None
    sd_checkpoint_name: str | None
    optional_info: str | None
    training: dict[str, Any]
    extra: dict[str, Any]
    layers: tuple[LayerStatistics, ...]
    problem: str | None
    readers: dict[str, Reader]

    def lines(self) -> list[str]:
        """Return the report as text, one fact per line."""
        structure = self.structure
        facts = [
            f"{self.name}: step {self.step}, {self.parameters:,} weights, {self.file_bytes:,} bytes, {self.short_hash}",
            f"layers {list(structure.layer_structure)} for widths {', '.join(map(str, self.widths))}",
            f"activation {structure.activation}, activate_output {structure.activate_output}",
            f"LayerNorm {structure.layer_norm}, dropout {list(structure.dropout_structure)}",
            f"trained on {self.sd_checkpoint_name or 'an unknown checkpoint'} [{self.sd_checkpoint or 'no hash'}]",
        ]
        facts += [f"weights in {dtype}: {size:,} bytes" for dtype, size in self.weight_bytes.items()]
        facts += [f"{name}: {'yes' if reader else 'no'}, {reader.reason}" for name, reader in self.readers.items()]
        return [*facts, f"broken: {self.problem}"] if self.problem else facts


@dataclasses.dataclass(frozen=True)
class Outline:
    """What is known of a file that is no hypernetwork, or a broken one.

    Attributes:
        file_bytes: its size; None where it is no regular file.
        short_hash: first ten hex digits of its SHA-256; None where it cannot be read, or is too large for that.
        form: `zip` or `legacy` for a torch file, else `safetensors`; None where it is no hypernetwork.
        keys: the names in it, where it has some.
    """

    file_bytes: int | None
    short_hash: str | None
    form: str | None
    keys: tuple[str, ...]


def outline(path: str | os.PathLike[str]) -> Outline:
    """Return what can be known of any file; nothing is raised for one that cannot be read."""
    size = digest = form = None
    keys: tuple[str, ...] = ()
    # A broken file may stop this at any step; what is known by then is returned.
    with contextlib.suppress(HypernetworkFileError, OSError):
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
        if size <= _MOST_HASHED_BYTES:
            digest = files.short_hash(path)
        keys = filetypes.keys(path)
        content = files.read_content(path)
        form = content.form
        keys = tuple(str(key) for key in content.state)
    return Outline(size, digest, form, keys)


def describe(path: str | os.PathLike[str], bins: int = 0) -> Report:
    """Describe a hypernetwork file, also one whose weights are broken.

    Args:
        bins: number of bins of a histogram of each tensor; with 0 there is none.

    Raises:
        HypernetworkFileError: the file cannot be read, or is no hypernetwork.
    """
    place = Path(path)
    content = files.read_content(place)
    document = files.interpret(content, place)
    problem = _problem(document)
    tensors = document.tensors()
    count = sum(tensor.numel() for tensor in tensors)
    metadata, structure = document.metadata, document.structure
    return Report(
        path=place,
        form=content.form,
        file_bytes=place.stat().st_size,
        short_hash=files.short_hash(place),
        name=metadata.name or place.stem,
        widths=tuple(document.pairs),
        structure=structure,
        layer_widths={width: structure.layer_widths(width) for width in document.pairs},
        parameters=count,
        dtypes=tuple(sorted({_name_of(tensor.dtype) for tensor in tensors})),
        weight_bytes=weight_bytes(count),
        step=metadata.step,
        sd_checkpoint=metadata.sd_checkpoint,
        sd_checkpoint_name=metadata.sd_checkpoint_name,
        optional_info=metadata.optional_info,
        training=metadata.training,
        extra=metadata.extra,
        layers=tuple(_statistics(document, bins)),
        problem=problem,
        readers=readers(content, document, problem),
    )


def _problem(document: Document) -> str | None:
    try:
        document.network()
    except HypernetworkFileError as reason:
        return str(reason)
    return None


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _statistics(document: Document, bins: int) -> list[LayerStatistics]:
    return [
        _of_tensor(width, side, name, tensor, bins)
        for width, pair in document.pairs.items()
        for side, state in zip(("k", "v"), pair, strict=True)
        for name, tensor in state.items()
    ]


def _of_tensor(width: int, side: str, name: str, tensor: torch.Tensor, bins: int) -> LayerStatistics:
    values = tensor.detach().to(torch.float32).reshape(-1)
    finite = values[torch.isfinite(values)]
    known = finite if finite.numel() else torch.zeros(1)
    low, high = float(known.min()), float(known.max())
    count = max(values.numel(), 1)
    counts = torch.histc(known, bins, low, high) if bins > 0 else None
    return LayerStatistics(
        width=width,
        side=side,
        name=name,
        shape=tuple(tensor.shape),
        dtype=_name_of(tensor.dtype),
        mean=float(known.mean()),
        std=float(known.std(correction=0)),
        low=low,
        high=high,
        zeros=float((finite == 0).sum()) / count,
        not_finite=(values.numel() - finite.numel()) / count,
        histogram=None if counts is None else Histogram(low, high, tuple(int(value) for value in counts)),
    )
