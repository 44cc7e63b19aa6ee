"""A memo for what networks make of the text: it is the same in every layer and at every step."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ..kernels.tensors import version
from ..network.hypernetwork import Hypernetwork

Pair = tuple[Tensor, Tensor]


@dataclasses.dataclass
class _Entry:
    key: Hashable
    seen: weakref.ref[Tensor]
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

    def knows(self, context: Tensor) -> bool:
        now = version(context)
        return self.seen() is context and now is not None and now == self.version

    def equals(self, context: Tensor) -> bool:
        copied = self.copy
        return (
            copied is not None
            and copied.shape == context.shape
            and copied.dtype == context.dtype
            and copied.device == context.device
            and torch.equal(copied, context)
        )


class Memo:
    """Results for the contexts seen last.

    A context is known again as the same tensor that nothing was written into since, else by comparing its content
    with copies of the few last ones. A result that somebody wrote into is thrown away.

    Args:
        limit: contexts kept.
        limit_bytes: memory for them together; the last one is kept whatever its size.
        compares: whether contents are compared; without, only the same tensor is known again, and no copy is kept.
    """

    def __init__(self, limit: int = 8, limit_bytes: int = 1 << 26, compares: bool = True) -> None:
        self.limit, self.limit_bytes, self.compares = limit, limit_bytes, compares
        self._entries: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, context: Tensor, compute: Callable[[], Pair], weights: Iterable[Tensor] = ()) -> Pair:
        """Give what `compute` gives for `context` [batch, tokens, width], computed once while it is remembered.

        Args:
            key: everything else that decides the result, see `key_of`.
            weights: those in the key. Their memory is held, so that no other weights take their place in it unseen.
        """
        entry = self._find(key, context)
        if entry is None:
            result = compute()
            entry = _Entry(
                key=key,
                seen=weakref.ref(context),
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
        """Give what is remembered for `context`, or None; nothing is computed."""
        entry = self._find(key, context)
        if entry is None:
            return None
        self._entries.append(entry)
        return entry.result

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def _find(self, key: Hashable, context: Tensor) -> _Entry | None:
        """Take the entry of a context out of the list."""
        self._entries = [entry for entry in self._entries if entry.is_intact()]
        same_key = [entry for entry in reversed(self._entries) if entry.key == key]
        found = next((entry for entry in same_key if entry.knows(context)), None)
        if found is None:
            found = next((entry for entry in same_key if entry.equals(context)), None)
            if found is None:
                return None
            found.seen, found.version = weakref.ref(context), version(context)
        self._entries = [entry for entry in self._entries if entry is not found]
        return found

    def _bytes(self) -> int:
        return sum(entry.size_bytes for entry in self._entries)


def key_of(networks: Sequence[Hypernetwork], width: int) -> Hashable:
    """Everything about the weights of `width` and torch's state that decides a result, beside context and step.

    Weights are told by place in memory, dtype and count of writes, so that moved, replaced and trained ones differ.
    """
    weights = tuple(
        (weight.data_ptr(), weight.dtype, weight.device, version(weight)) for weight in weights_of(networks, width)
    )
    return weights, state_of(networks)


def state_of(networks: Sequence[Hypernetwork]) -> Hashable:
    """Tell what decides a result beside context, step and weights: modes of the networks, and torch's state."""
    modes = tuple(network.training for network in networks)
    return modes, torch.is_grad_enabled(), torch.is_inference_mode_enabled(), _autocast()


def weights_of(networks: Iterable[Hypernetwork], width: int) -> Iterator[Tensor]:
    """Go through the weights of the networks for one width."""
    for network in networks:
        if width in network.widths:
            for module in network.pair(width):
                yield from module.parameters()


def _autocast() -> tuple[bool, ...]:
    """Tell which kinds of device compute in another dtype right now."""
    try:
        return torch.is_autocast_enabled("cuda"), torch.is_autocast_enabled("cpu")
    except TypeError:  # before torch 2.4
        return torch.is_autocast_enabled(), torch.is_autocast_cpu_enabled()


def is_random(network: Hypernetwork) -> bool:
    """Tell whether two runs of the network on the same context may differ: in training, by dropout."""
    return network.training and has_dropout(network)


def has_dropout(network: Hypernetwork) -> bool:
    """Tell whether the network draws random numbers while it trains.

    Each attention layer draws its own, as files with dropout were always trained: one draw for all layers of a width
    would let the text run once here too, but be another regularisation.
    """
    return network.structure.use_dropout or network.structure.activation == "rrelu"
