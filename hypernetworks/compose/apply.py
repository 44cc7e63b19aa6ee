"""The k/v transform: a chain of networks, each with its strength, transforms the inputs of `to_k` and `to_v`."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ..network.hypernetwork import Hypernetwork


def transform(network: Hypernetwork, k_in: Tensor, v_in: Tensor, strength: float = 1.0) -> tuple[Tensor, Tensor]:
    """Pass the inputs of `to_k` and `to_v` through one network.

    Args:
        network: moved to the device of the inputs if it is elsewhere.
        k_in, v_in: [batch, tokens, width], any float dtype; computed in the network's dtype and given back in theirs.
        strength: ignored while the network trains, where it is always 1.

    Returns:
        Tensors of the same shape and dtype; the very same ones where the network has no such width or does nothing.
    """
    width = k_in.shape[-1]
    if width not in network.widths:
        return k_in, v_in
    for_k, for_v = network.pair(width)
    if next(for_k.parameters()).device != k_in.device:
        network.to(k_in.device)
    return for_k(k_in, strength), for_v(v_in, strength)


def chain(links: Iterable[tuple[Hypernetwork, float]], context: Tensor) -> tuple[Tensor, Tensor]:
    """Pass `context` [batch, tokens, width] through networks in order, each with its strength."""
    k_in = v_in = context
    for network, strength in links:
        k_in, v_in = transform(network, k_in, v_in, strength)
    return k_in, v_in
