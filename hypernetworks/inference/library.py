"""A cache of networks and compositions read from disk; a file is read again only when it has changed."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from .. import compose, files
from ..base.errors import CompositionError
from ..base.stamps import Stamp, stamp
from ..compose import Composition, text_file
from ..compose.nodes import MAX_NODES, singles
from ..files.listing import find, is_composition
from ..network.hypernetwork import Hypernetwork


@dataclasses.dataclass(frozen=True)
class _Read:
    """A composition, the stamps of the files it was read from, and the path of each name in it."""

    composition: Composition
    stamps: Mapping[str, Stamp | None]
    paths: Mapping[str, str | None]

    def is_current(self, listed: Mapping[str, str]) -> bool:
        """Tell whether it would still be the same if it was read again."""
        return all(find(listed, name) == path for name, path in self.paths.items()) and all(
            stamp(path) == before for path, before in self.stamps.items()
        )


class Library:
    """Caches what was read; of the networks those used last."""

    def __init__(self) -> None:
        self._networks: OrderedDict[str, tuple[Stamp | None, Hypernetwork]] = OrderedDict()
        self._compositions: dict[str, _Read] = {}

    def __contains__(self, network: Hypernetwork) -> bool:
        return any(kept is network for _, kept in self._networks.values())

    def network(self, path: str) -> Hypernetwork:
        """Return the network of a file, in evaluation mode and without gradients.

        Raises:
            HypernetworkFileError: with the file's name and the reason.
        """
        now = stamp(path)
        kept = self._networks.get(path)
        if kept is None or kept[0] != now or now is None:
            self._networks.pop(path, None)
            with torch.inference_mode(False):  # a program may generate in that mode; its tensors cannot be used outside
                kept = now, files.load(path).eval().requires_grad_(False)
            self._networks[path] = kept
        self._networks.move_to_end(path)
        return kept[1]

    def composition(self, path: str, listed: Mapping[str, str]) -> tuple[Composition, dict[str, Hypernetwork]]:
        """Return the composition of a file and the networks it needs, by name.

        Args:
            listed: name to path of all networks and compositions.

        Raises:
            CompositionError: the text is wrong, has a circle or an unknown name; says where.
            HypernetworkFileError: a network it needs cannot be read.
        """
        read = self._compositions.get(path)
        if read is None or not read.is_current(listed):
            self._compositions.pop(path, None)
            stamps = {path: stamp(path)}
            read = _read(_text(path, listed), listed, stamps)
            self._compositions[path] = read
        return self._with_networks(read, listed)

    def from_text(self, text: str, listed: Mapping[str, str]) -> tuple[Composition, dict[str, Hypernetwork]]:
        """Return the composition of a text and the networks it needs, by name; raises what `composition` does."""
        return self._with_networks(_read(text, listed, {}), listed)

    def _with_networks(self, read: _Read, listed: Mapping[str, str]) -> tuple[Composition, dict[str, Hypernetwork]]:
        known = {name: path for name in read.composition.names if (path := find(listed, name))}
        read.composition.check(known)
        return read.composition, {name: self.network(place) for name, place in known.items()}

    def tidy(self, in_use: Iterable[Hypernetwork], limit: int) -> None:
        """Move unused networks to the CPU, and forget those unused for longest beyond `limit`."""
        used = {id(network) for network in in_use}
        for path, (_, network) in list(self._networks.items()):
            if id(network) in used:
                continue
            if len(self._networks) > limit:
                del self._networks[path]
            elif any(parameter.device.type != "cpu" for parameter in network.parameters()):
                network.to(torch.device("cpu"))

    def clear(self) -> None:
        """Forget everything."""
        self._networks.clear()
        self._compositions.clear()


def _read(text: str, listed: Mapping[str, str], stamps: dict[str, Stamp | None]) -> _Read:
    """Return a composition with all those that it names, each read once.

    Args:
        stamps: stamps of the files read so far; those read here are added.
    """
    paths: dict[str, str | None] = {}
    inner: dict[str, Composition] = {}
    pending = [compose.parse(text)]
    for composition in pending:
        if len(pending) > MAX_NODES:
            raise CompositionError(f"together the compositions name more than {MAX_NODES} networks")
        for part in singles(composition.root):
            if part.name in paths:
                continue
            place = paths[part.name] = find(listed, part.name)
            if place is not None and is_composition(place):
                stamps[place] = stamp(place)
                inner[part.name] = _named(part.name, place, listed)
                pending.append(inner[part.name])
    return _Read(compose.parse(text, inner), stamps, paths)


def _named(name: str, path: str, listed: Mapping[str, str]) -> Composition:
    try:
        return compose.parse(_text(path, listed))
    except CompositionError as error:
        raise CompositionError(f"in {name}: {error}") from error


def _text(path: str, listed: Mapping[str, str]) -> str:
    return text_file.read(Path(path), lambda name: find(listed, name) is not None)


#: The one library of this process.
library = Library()
