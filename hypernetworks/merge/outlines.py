"""Networks without their weights: enough to tell what can be merged, and small enough to be kept."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from .. import files
from ..base.errors import HypernetworkFileError
from ..network.hypernetwork import Hypernetwork, Metadata

_KEPT = 128


def outline(path: Path, name: str) -> Hypernetwork:
    """Return the network of a file on the meta device, under `name`; read again only once the file has changed.

    Raises:
        HypernetworkFileError: there is no such file, or it is broken.
    """
    try:
        status = path.stat()
    except OSError as reason:
        raise HypernetworkFileError(f"{path.name}: there is no such file") from reason
    return _outline(str(path), (status.st_mtime_ns, status.st_size), name)


@functools.lru_cache(maxsize=_KEPT)
def _outline(path: str, _stamp: tuple[int, int], name: str) -> Hypernetwork:
    document = files.read_document(path)
    with torch.device("meta"):
        return Hypernetwork(document.structure, tuple(document.pairs), Metadata(name=name))
