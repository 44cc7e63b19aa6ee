"""The items of `shared.loaded_hypernetworks`: networks and compositions, each with its strength, and chains of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from ...hypernetworks import files
from ...hypernetworks.compose import Composition
from ...hypernetworks.compose.bound import Apply, Step
from ...hypernetworks.network.hypernetwork import Hypernetwork

_Side: TypeAlias = Callable[[Tensor], Tensor]


class Loaded(ABC):
    """Base of what the host can load as a hypernetwork: it transforms attention inputs."""

    def __init__(self, name: str, path: Path | None = None) -> None:
        self.name = name
        self.filename = str(path) if path else None
        self.multiplier = 1.0

    @property
    @abstractmethod
    def networks(self) -> tuple[Hypernetwork, ...]:
        """The networks it is made of."""

    @property
    @abstractmethod
    def step_of_chain(self) -> Step:
        """The step that applies it at its strength."""

    @property
    def step(self) -> int:
        """Optimizer steps that the network was trained for; the most of several."""
        return max((network.metadata.step for network in self.networks), default=0)

    @property
    def layers(self) -> dict[int, tuple[_Side, _Side]]:
        """Functions for k and v by width, at its strength, in the form that extensions and the host's own path use."""
        # Functions, not modules: the host sets them on attention layers, where modules would become part of the U-Net.
        widths = dict.fromkeys(width for network in self.networks for width in network.widths)
        return {width: (partial(self._side, 0), partial(self._side, 1)) for width in widths}

    def _side(self, index: int, x: Tensor) -> Tensor:
        return self.transform(x, x)[index]

    def set_multiplier(self, multiplier: float) -> None:
        """Set the strength."""
        self.multiplier = float(multiplier)

    def shorthash(self) -> str | None:
        """Return the first ten hexadecimal digits of the file's SHA-256; None without a file."""
        return files.short_hash(self.filename) if self.filename else None

    def transform(self, k_in: Tensor, v_in: Tensor) -> tuple[Tensor, Tensor]:
        """Pass the inputs of `to_k` and `to_v` [batch, tokens, width] through it."""
        return self.step_of_chain.transform(k_in, v_in)


class LoadedNetwork(Loaded):
    """A network with its strength."""

    def __init__(self, network: Hypernetwork, name: str, path: Path | None = None) -> None:
        super().__init__(name, path)
        self.network = network

    @property
    def networks(self) -> tuple[Hypernetwork, ...]:
        """The network."""
        return (self.network,)

    @property
    def step_of_chain(self) -> Step:
        """The network at its strength."""
        return Apply(self.network, self.multiplier)


class LoadedComposition(Loaded):
    """A composition with the networks it names and its strength."""

    def __init__(
        self, composition: Composition, networks: Mapping[str, Hypernetwork], name: str, path: Path | None = None
    ) -> None:
        super().__init__(name, path)
        self.composition = composition
        self._networks = dict(networks)
        self._step: tuple[float, Step] | None = None

    @property
    def networks(self) -> tuple[Hypernetwork, ...]:
        """Each network once."""
        return tuple(dict.fromkeys(self._networks.values()))

    @property
    def step_of_chain(self) -> Step:
        """The composition at its strength."""
        if self._step is None or self._step[0] != self.multiplier:
            self._step = self.multiplier, self.composition.as_step(self._networks, self.multiplier)
        return self._step[1]


def is_side(function: Any) -> bool:
    """Tell whether a function is one of those in `Loaded.layers`."""
    return isinstance(function, partial) and isinstance(getattr(function.func, "__self__", None), Loaded)


def transform_chain(networks: Sequence[Any], k_in: Tensor, v_in: Tensor, layer: Any = None) -> tuple[Tensor, Tensor]:
    """Pass the inputs of `to_k` and `to_v` [batch, tokens, width] through networks in order; others by the host."""
    from modules.hypernetworks import hypernetwork  # noqa: PLC0415

    for network in networks:
        if isinstance(network, Loaded):
            k_in, v_in = network.transform(k_in, v_in)
        else:
            k_in, v_in = hypernetwork.apply_single_hypernetwork(network, k_in, v_in, layer)
    return k_in, v_in
