"""A chain in which networks of another extension's kind may stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .loaded import Loaded


def transform_chain(networks: Sequence[Any], k_in: Tensor, v_in: Tensor, layer: Any = None) -> tuple[Tensor, Tensor]:
    """Pass the inputs of `to_k` and `to_v` [batch, tokens, width] through networks in order; others by the host."""
    from modules.hypernetworks import hypernetwork  # noqa: PLC0415

    for network in networks:
        if isinstance(network, Loaded):
            k_in, v_in = network.transform(k_in, v_in)
        else:
            k_in, v_in = hypernetwork.apply_single_hypernetwork(network, k_in, v_in, layer)
    return k_in, v_in
