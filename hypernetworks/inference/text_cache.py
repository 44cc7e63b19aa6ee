"""A cache for what networks make of the text: it is the same in every layer and at every step."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ..kernels.tensors import version
from ..network.activations import ACTIVATIONS
from ..network.hypernetwork import Hypernetwork

Pair = tuple[Tensor, Tensor]


@dataclasses.dataclass
class _Entry:
    key: Hashable
    context: weakref.ref[Tensor]
    version: int | None
    copy: Tensor | None
    result: Pair
    result_versions: tuple[int | None, ...]
    weights: list[Tensor]

    @property
    def size_bytes(self) -> int:
        tensors = [*self.result] if self.copy is None else [self.copy, *self.result]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def is_intact(self) -> bool:
        return self.result_versions == tuple(version(tensor) for tensor in self.result)

    def is_of_tensor(self, context: Tensor) -> bool:
        now = version(context)
        return self.context() is context and now is not None and now == self.version

    def has_content(self, context: Tensor) -> bool:
        copied = self.copy
        return (
            copied is not None
            and copied.shape == context.shape
            and copied.dtype == context.dtype
            and copied.device == context.device
            and torch.equal(copied, context)
        )


class TextCache:
    """Results for the contexts seen last.

    A context is found as the same tensor, if nothing was written into it since, else by comparing its content with
    copies of the last few. A result that somebody wrote into is thrown away.

    Args:
        limit: number of contexts kept.
        limit_bytes: memory for all of them; the last one is kept whatever its size.
        compares: whether contents are compared; without, only the same tensor is found, and no copy is kept.
    """

    def __init__(self, limit: int = 8, limit_bytes: int = 1 << 26, compares: bool = True) -> None:
        self.limit, self.limit_bytes, self.compares = limit, limit_bytes, compares
        self._entries: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, context: Tensor, compute: Callable[[], Pair], weights: Iterable[Tensor] = ()) -> Pair:
        """Return what `compute` gives for `context` [batch, tokens, width], computed once while it is kept.

        Args:
            key: everything else that decides the result, see `key_of`.
            weights: those in the key; held, so that no other weights can be given their place in memory.
        """
        entry = self._find(key, context)
        if entry is None:
            result = compute()
            entry = _Entry(
                key=key,
                context=weakref.ref(context),
                version=version(context),
                copy=context.detach().clone() if self.compares else None,
                result=result,
                result_versions=tuple(version(tensor) for tensor in result),
                weights=[weight.detach() for weight in weights],
            )
        self._entries.append(entry)
        while len(self._entries) > self.limit or (len(self._entries) > 1 and self._bytes() > self.limit_bytes):
            del self._entries[0]
        return entry.result

    def find(self, key: Hashable, context: Tensor) -> Pair | None:
        """Return what is kept for `context`, or None; nothing is computed."""
        entry = self._find(key, context)
        if entry is None:
            return None
        self._entries.append(entry)
        return entry.result

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()

    def _find(self, key: Hashable, context: Tensor) -> _Entry | None:
        """Take the entry of a context out of the list and return it, or None."""
        self._entries = [entry for entry in self._entries if entry.is_intact()]
        same_key = [entry for entry in reversed(self._entries) if entry.key == key]
        found = next((entry for entry in same_key if entry.is_of_tensor(context)), None)
        if found is None:
            found = next((entry for entry in same_key if entry.has_content(context)), None)
            if found is None:
                return None
            found.context, found.version = weakref.ref(context), version(context)
        self._entries = [entry for entry in self._entries if entry is not found]
        return found

    def _bytes(self) -> int:
        return sum(entry.size_bytes for entry in self._entries)


def key_of(networks: Sequence[Hypernetwork], width: int) -> Hashable:
    """Return all that decides a result besides context and step: weights of `width`, modes and torch's state.

    Weights are told apart by address, dtype, device and count of writes, so moved, replaced and trained ones differ.
    """
    weights = tuple(
        (weight.data_ptr(), weight.dtype, weight.device, version(weight)) for weight in weights_of(networks, width)
    )
    return weights, state_of(networks)


def state_of(networks: Sequence[Hypernetwork]) -> Hashable:
    """Return what decides a result besides context, step and weights: modes of the networks, and torch's state."""
    modes = tuple(network.training for network in networks)
    return modes, torch.is_grad_enabled(), torch.is_inference_mode_enabled(), _autocast()


def weights_of(networks: Iterable[Hypernetwork], width: int) -> Iterator[Tensor]:
    """Yield the weights of the networks for one width."""
    for network in networks:
        if width in network.widths:
            for module in network.pair(width):
                yield from module.parameters()


def _autocast() -> tuple[bool, ...]:
    """Tell for CUDA and for the CPU whether autocast is on."""
    try:
        return torch.is_autocast_enabled("cuda"), torch.is_autocast_enabled("cpu")
    except TypeError:  # before torch 2.4
        return torch.is_autocast_enabled(), torch.is_autocast_cpu_enabled()


def is_random(network: Hypernetwork) -> bool:
    """Tell whether two runs of the network on the same context may differ: in training, by dropout."""
    return network.training and has_dropout(network)


def has_dropout(network: Hypernetwork) -> bool:
    """Tell whether the network draws random numbers while it trains.

    Each attention layer draws its own, as in every trainer so far: one draw for all layers of a width would let the
    text be transformed once here too, but it would be another regularisation.
    """
    return network.structure.use_dropout or ACTIVATIONS[network.structure.activation].is_random
