"""Patch set: the host loads hypernetworks through our reader.

The host's own reader runs what a file says, or refuses the file and then generates without it and without a word.
Its list has no `.safetensors`, and of two files of the same name in two folders only one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..hypernetworks import files, listing
from ..hypernetworks.apply import bend
from ..hypernetworks.errors import HypernetworkFileError
from ..hypernetworks.network import Hypernetwork
from .patching import Patch, PatchSet

_log = logging.getLogger(__name__)
_HOST = "modules.hypernetworks.hypernetwork"

#: Why a network asked for by name could not be loaded, for the message under the picture.
_failures: dict[str, str] = {}


class LoadedNetwork:
    """A network with the surface that the host expects of what stands in `shared.loaded_hypernetworks`."""

    def __init__(self, network: Hypernetwork, name: str, path: Path | None = None) -> None:
        self.network = network
        self.name = name
        self.filename = str(path) if path else None
        self.multiplier = 1.0
        self._stamp = _stamp(path)

    @property
    def step(self) -> int:
        """Optimizer steps the network was trained for."""
        return self.network.metadata.step

    @property
    def layers(self) -> dict[int, tuple[Any, Any]]:
        """Modules for k and v by width, as extensions look for them."""
        return {width: self.network.pair(width) for width in self.network.widths}

    def set_multiplier(self, multiplier: float) -> None:
        """Sets the strength."""
        self.multiplier = float(multiplier)

    def shorthash(self) -> str | None:
        """First ten hexadecimal digits of the file's sha256, where there is a file."""
        return files.short_hash(self.filename) if self.filename else None

    def is_stale(self) -> bool:
        """Whether the file was written anew since it was read."""
        return self.filename is not None and _stamp(Path(self.filename)) != self._stamp

    def bend(self, k_in: Tensor, v_in: Tensor) -> tuple[Tensor, Tensor]:
        """Passes the inputs of `to_k` and `to_v` [batch, tokens, width] through the network."""
        return bend(self.network, k_in, v_in, self.multiplier)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if status else None


def _make_list(original: Callable[..., Any]) -> Callable[..., Any]:
    def list_hypernetworks(path: str) -> dict[str, str]:
        return listing.complete(original(path), path)

    return list_hypernetworks


def _make_load_one(_original: Callable[..., Any]) -> Callable[..., Any]:
    def load_hypernetwork(name: str) -> LoadedNetwork | None:
        from modules import shared  # noqa: PLC0415

        path = shared.hypernetworks.get(name)
        if path is None:
            _failures[name] = "there is no hypernetwork of this name"
            return None
        try:
            network = files.load(path)
        except HypernetworkFileError as error:
            _failures[name] = str(error)
            _log.error("Hypernetwork %s was not loaded: %s", name, error)
            return None
        _failures.pop(name, None)
        return LoadedNetwork(network.eval().requires_grad_(False), name, Path(path))

    return load_hypernetwork


def _make_load_several(original: Callable[..., Any]) -> Callable[..., Any]:
    def load_hypernetworks(names: Sequence[str], multipliers: Sequence[float] | None = None) -> Any:
        from modules import shared  # noqa: PLC0415

        # The host keeps what is loaded under the same name, also when training has just written the file anew.
        shared.loaded_hypernetworks[:] = [
            loaded
            for loaded in shared.loaded_hypernetworks
            if isinstance(loaded, LoadedNetwork) and not loaded.is_stale()
        ]
        return original(names, multipliers)

    return load_hypernetworks


def _make_activate(original: Callable[..., Any]) -> Callable[..., Any]:
    def activate(self: Any, p: Any, params_list: Sequence[Any]) -> Any:
        from modules import shared  # noqa: PLC0415

        result = original(self, p, params_list)
        loaded = {network.name for network in shared.loaded_hypernetworks}
        for params in params_list:
            name = params.items[0] if params.items else ""
            if name not in loaded and hasattr(p, "comment"):
                p.comment(f"Hypernetwork {name} was not used: {_failures.get(name, 'it was not loaded')}.")
        return result

    return activate


patch_set = PatchSet(
    "loading",
    "Safe loading of hypernetworks",
    [
        Patch(f"{_HOST}:list_hypernetworks", _make_list),
        Patch(f"{_HOST}:load_hypernetwork", _make_load_one),
        Patch(f"{_HOST}:load_hypernetworks", _make_load_several),
        Patch("modules.extra_networks_hypernet:ExtraNetworkHypernet.activate", _make_activate),
    ],
)
