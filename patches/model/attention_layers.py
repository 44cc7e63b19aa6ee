"""The attention layers of the loaded U-Net, and which of their widths belong to the text."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from modules import sd_models, shared
from torch import nn


@dataclass(frozen=True)
class Layers:
    """The self- and cross-attention layers of a U-Net, and the input widths that only cross-attention has."""

    own: tuple[Any, ...]
    text: tuple[Any, ...]
    text_widths: frozenset[int]

    @property
    def all(self) -> tuple[Any, ...]:
        """Every attention layer."""
        return (*self.own, *self.text)


_known: tuple[weakref.ref[nn.Module], Layers] | None = None
_known_widths: WeakKeyDictionary[nn.Module, tuple[int, ...]] = WeakKeyDictionary()


def loaded_unet() -> nn.Module | None:
    """Return the U-Net of the loaded checkpoint; None where none is loaded or it is of another kind."""
    return unet_of(shared.sd_model)


def unet_of(checkpoint: Any) -> nn.Module | None:
    """Return the U-Net in the host's object for a checkpoint, or None; in Forge it is inside a patcher."""
    patcher = getattr(getattr(checkpoint, "forge_objects", None), "unet", None)
    for holder in (checkpoint, patcher):
        unet = getattr(getattr(holder, "model", None), "diffusion_model", None)
        if isinstance(unet, nn.Module):
            return unet
    return None


def of(unet: nn.Module) -> Layers:
    """Return the attention layers of `unet`, found once and cached."""
    global _known  # noqa: PLW0603 - one U-Net is in use at a time
    if _known is None or _known[0]() is not unet:
        _known = weakref.ref(unet), _find(unet)
    return _known[1]


def loaded_model() -> Any:
    """Return the model if one is loaded; reading `shared.sd_model` would load one, or wait until that is done."""
    data = getattr(sd_models, "model_data", None)
    return data.sd_model if data is not None else shared.__dict__.get("sd_model")


def widths(unet: nn.Module) -> tuple[int, ...]:
    """Return the input widths of all `to_k`: that of the text first, then the others from narrow to wide."""
    found: dict[bool, set[int]] = {True: set(), False: set()}
    for layer, is_on_text in _attention(unet):
        found[is_on_text].add(layer.to_k.in_features)
    return (*sorted(found[True]), *sorted(found[False] - found[True]))


def loaded_widths() -> tuple[int, ...]:
    """Return the attention widths of the loaded checkpoint; empty where none is loaded, which this does not change.

    Fast enough to be called at every key stroke.
    """
    unet = unet_of(loaded_model())
    if unet is None:
        return ()
    if unet not in _known_widths:
        _known_widths[unet] = widths(unet)
    return _known_widths[unet]


def _find(unet: nn.Module) -> Layers:
    own: list[Any] = []
    text: list[Any] = []
    for layer, is_on_text in _attention(unet):
        if hasattr(layer, "to_v"):
            (text if is_on_text else own).append(layer)
    own_widths = {layer.to_k.in_features for layer in own}
    return Layers(tuple(own), tuple(text), frozenset(layer.to_k.in_features for layer in text) - own_widths)


def _attention(unet: nn.Module) -> Iterator[tuple[Any, bool]]:
    """Yield the attention layers, also Forge's, which are not torch modules, each with whether it is cross-attention.

    A self-attention layer has keys and queries of the same input width.
    """
    for module in unet.modules():
        q_width, k_width = (getattr(getattr(module, name, None), "in_features", None) for name in ("to_q", "to_k"))
        if isinstance(q_width, int) and isinstance(k_width, int):
            yield module, q_width != k_width
