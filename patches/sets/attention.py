"""Patch set: the k/v path of every attention layer of the host runs through our transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ..model.loaded import Loaded, transform_chain
from ..patching import Patch, PatchSet, capabilities
from . import forge_attention

_HOST = "modules.hypernetworks.hypernetwork"


def _make_apply(original: Callable[..., Any]) -> Callable[..., Any]:
    def apply_hypernetworks(hypernetworks: Sequence[Any], context: Tensor, layer: Any = None) -> tuple[Tensor, Tensor]:
        from ..model.shortcuts import shortcuts  # noqa: PLC0415 - needs the running host

        if hypernetworks and all(isinstance(network, Loaded) for network in hypernetworks):
            return shortcuts.transform(hypernetworks, context)
        shortcuts.leave_layer()
        if not any(isinstance(network, Loaded) for network in hypernetworks):
            return original(hypernetworks, context, layer)
        return transform_chain(hypernetworks, context, context, layer)

    return apply_hypernetworks


patch_set = PatchSet(
    "attention",
    "The k/v path of hypernetworks",
    [
        Patch(f"{_HOST}:apply_hypernetworks", _make_apply, when=capabilities.attention_asks_for_networks),
        forge_attention.patch,
    ],
)
