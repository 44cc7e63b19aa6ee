"""The k/v transform: a chain of networks, each with its strength, bends the inputs of `to_k` and `to_v`."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from .network import Hypernetwork


def bend(network: Hypernetwork, k_in: Tensor, v_in: Tensor, strength: float = 1.0) -> tuple[Tensor, Tensor]:
    """Passes the inputs of `to_k` and `to_v` through one network.

    Args:
        network: moved to the device of the inputs if it is elsewhere.
        k_in, v_in: [batch, tokens, width], any float dtype; computed in the network's dtype and given back in theirs.
        strength: ignored while the network trains, where it is always 1.

    Returns:
        Tensors of the same shape and dtype; the very same ones where the network has no such width or does nothing.
    """
    width = k_in.shape[-1]
    if width not in network.widths or (strength == 0 and not network.training):
        return k_in, v_in
    weight = next(network.parameters())
    if weight.device != k_in.device:
        network.to(k_in.device)
    k_module, v_module = network.pair(width)
    scale = 1.0 if network.training else strength
    k_out, v_out = k_in.to(weight.dtype), v_in.to(weight.dtype)
    return (k_out + scale * k_module(k_out)).to(k_in.dtype), (v_out + scale * v_module(v_out)).to(v_in.dtype)


def chain(links: Iterable[tuple[Hypernetwork, float]], context: Tensor) -> tuple[Tensor, Tensor]:
    """Passes `context` [batch, tokens, width] through networks in order, each with its strength."""
    k_in = v_in = context
    for network, strength in links:
        k_in, v_in = bend(network, k_in, v_in, strength)
    return k_in, v_in
