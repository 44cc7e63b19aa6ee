"""Patch set: the k/v path of every attention layer of the host runs through our transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from .loaded import Loaded
from .patching import Patch, PatchSet

_HOST = "modules.hypernetworks.hypernetwork"


def _make_apply(original: Callable[..., Any]) -> Callable[..., Any]:
    def apply_hypernetworks(hypernetworks: Sequence[Any], context: Tensor, layer: Any = None) -> tuple[Tensor, Tensor]:
        from .shortcuts import shortcuts  # noqa: PLC0415 - needs the running host

        if hypernetworks and all(isinstance(network, Loaded) for network in hypernetworks):
            return shortcuts.bend(hypernetworks, context)
        shortcuts.leave_layer()
        if not any(isinstance(network, Loaded) for network in hypernetworks):
            return original(hypernetworks, context, layer)
        k_in = v_in = context
        for network in hypernetworks:
            if isinstance(network, Loaded):
                k_in, v_in = network.bend(k_in, v_in)
            else:  # another extension's own kind
                k_in, v_in = _apply_foreign(network, k_in, v_in, layer)
        return k_in, v_in

    return apply_hypernetworks


def _apply_foreign(network: Any, k_in: Tensor, v_in: Tensor, layer: Any) -> tuple[Tensor, Tensor]:
    from modules.hypernetworks import hypernetwork  # noqa: PLC0415

    return hypernetwork.apply_single_hypernetwork(network, k_in, v_in, layer)


patch_set = PatchSet("attention", "The k/v path of hypernetworks", [Patch(f"{_HOST}:apply_hypernetworks", _make_apply)])
