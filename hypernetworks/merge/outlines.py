"""Networks without their weights: enough to find out what can be merged, and small enough to be cached."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from .. import files
from ..base.stamps import Stamp, stamp
from ..network.hypernetwork import Hypernetwork, Metadata

_KEPT = 128


def outline(path: Path, name: str) -> Hypernetwork:
    """Return the network of a file on the meta device, named `name`; the file is read again only when it has changed.

    Raises:
        HypernetworkFileError: there is no such file, or it is broken.
    """
    now = stamp(path)
    return _read(str(path), name) if now is None else _outline(str(path), now, name)


@functools.lru_cache(maxsize=_KEPT)
def _outline(path: str, _stamp: Stamp, name: str) -> Hypernetwork:
    return _read(path, name)


def _read(path: str, name: str) -> Hypernetwork:
    document = files.read_document(path)
    with torch.device("meta"):
        return Hypernetwork(document.structure, tuple(document.pairs), Metadata(name=name))
