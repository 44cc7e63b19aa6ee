"""The attention layers of the loaded U-Net, and which widths belong to the text alone."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

from modules import shared
from torch import nn


@dataclass(frozen=True)
class Layers:
    """Attention layers of a U-Net, on itself and on the text, and the input widths that only the latter have."""

    own: tuple[Any, ...]
    text: tuple[Any, ...]
    text_widths: frozenset[int]

    @property
    def all(self) -> tuple[Any, ...]:
        """Every attention layer."""
        return (*self.own, *self.text)


_known: tuple[weakref.ref[nn.Module], Layers] | None = None


def loaded_unet() -> nn.Module | None:
    """Return the U-Net of the loaded checkpoint; None where there is none or it is of another kind."""
    return unet_of(shared.sd_model)


def unet_of(checkpoint: Any) -> nn.Module | None:
    """Return the U-Net of a checkpoint as the host holds it, None where it has none; in Forge a patcher holds it."""
    patcher = getattr(getattr(checkpoint, "forge_objects", None), "unet", None)
    for holder in (checkpoint, patcher):
        unet = getattr(getattr(holder, "model", None), "diffusion_model", None)
        if isinstance(unet, nn.Module):
            return unet
    return None


def of(unet: nn.Module) -> Layers:
    """Return the layers of `unet`, looked up once."""
    global _known  # noqa: PLW0603 - one U-Net is in use at a time
    if _known is None or _known[0]() is not unet:
        _known = weakref.ref(unet), _find(unet)
    return _known[1]


def _find(unet: nn.Module) -> Layers:
    own: list[Any] = []
    text: list[Any] = []
    for module in unet.modules():
        to_q, to_k, to_v = (getattr(module, name, None) for name in ("to_q", "to_k", "to_v"))
        if isinstance(to_q, nn.Linear) and isinstance(to_k, nn.Linear) and isinstance(to_v, nn.Linear):
            # A self-attention layer takes its keys from what it takes its queries from.
            (own if to_q.in_features == to_k.in_features else text).append(module)
    own_widths = {module.to_k.in_features for module in own}
    return Layers(tuple(own), tuple(text), frozenset(module.to_k.in_features for module in text) - own_widths)
