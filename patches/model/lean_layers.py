"""The frozen layers of the U-Net while a hypernetwork trains: less kept for the backward pass, faster on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices
from torch import Tensor, nn

from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.kernels import stored_layers
from ...hypernetworks.kernels.frozen_layers import FrozenConvolution, FrozenGate, FrozenLinear
from ...hypernetworks.kernels.frozen_norms import FrozenNorm
from .folding import has_own_forward, has_own_weights, lora_is_active

#: Modules that define the forward of plain layers: torch's, and the host's LoRA, which does nothing without a LoRA.
_PLAIN_FORWARDS = ("torch.nn.modules.linear", "torch.nn.modules.conv", "torch.nn.modules.normalization", "networks")
#: Modules that define the blocks of transformers.
ATTENTION_LIBRARIES = ("ldm.modules.attention", "sgm.modules.attention")
_NORM_LIBRARIES = ("ldm.modules.diffusionmodules.util", "sgm.modules.diffusionmodules.util")
#: Wraps gates and norms where the U-Net computes in another dtype than its weights have.
_WRAPPED = "modules.sd_hijack_utils"
#: What a U-Net takes and gives has at most this many channels.
_LATENT_CHANNELS = 9
_NORMS = (nn.GroupNorm, nn.LayerNorm)

#: On other devices the gradient of a convolution may need more than the shape of its input.
_DEVICES = ("cpu", "cuda", "mps")
#: On MPS some versions of torch write wrong numbers into non-contiguous tensors, such as the gradient of a gate's half.
_GATE_DEVICES = ("cpu", "cuda")
#: On a CPU autocast leaves norms as they are.
_NORM_DEVICES = ("cuda",)

_Frozen = Callable[[Tensor], Tensor]


class LeanForward:
    """The forward of one layer: our own where gradients are needed, else that of its class.

    Attributes:
        is_equivalent: marks this forward for `has_own_weights`, as one that computes the same.
    """

    is_equivalent = True

    def __init__(self, layer: Any, frozen: _Frozen) -> None:
        self.layer = layer
        self._frozen = frozen
        self._plain = type(layer).forward

    def __call__(self, x: Tensor) -> Tensor:
        """Map x as the layer does."""
        forward = type(self.layer).forward
        if not torch.is_grad_enabled() or (forward is not self._plain and self._is_cast(x)):
            return forward(self.layer, x)
        return self._frozen(x)

    def _is_cast(self, x: Tensor) -> bool:
        """Tell whether the casts that the host adds to forwards for some GPUs would change x or the weights."""
        weight = getattr(self.layer, "weight", x)
        return not x.dtype == weight.dtype == getattr(devices, "dtype_inference", x.dtype)


@contextmanager
def lean(unet: nn.Module, device_type: str) -> Iterator[None]:
    """Let plain layers of `unet`, whose weights must take no gradient, run through our own forward in training.

    Args:
        device_type: type of the device for computing; the host may keep them elsewhere until then.
    """
    changed: list[nn.Module] = []
    try:
        if device_type in _DEVICES and not lora_is_active():
            for layer in unet.modules():
                frozen = _frozen(layer, device_type)
                if frozen is not None:
                    layer.forward = LeanForward(layer, frozen)
                    changed.append(layer)
        yield
    finally:
        for layer in changed:
            del layer.forward


@contextmanager
def stored(unet: nn.Module, storage: str, device: torch.device) -> Iterator[None]:
    """Let weights of `unet` rest in `storage` on a GPU, within `lean`; raises SettingsError as `check_storage` does."""
    check_storage(storage, device)
    if not stored_layers.is_wanted(storage, device):
        yield
        return
    with stored_layers.stored(storable(unet)):
        yield


def check_storage(storage: str, device: torch.device) -> None:
    """Raise SettingsError where the host's LoRA is at work and would write into weights that rest in `storage`."""
    if stored_layers.is_wanted(storage, device) and lora_is_active():
        raise SettingsError(
            "train.unet_storage", f"{storage} is not possible while a LoRA is loaded; make a picture without one first"
        )


def storable(unet: nn.Module) -> list[nn.Module]:
    """Return the layers whose weights can rest in fewer bits.

    Not the first and last ones, which are small and matter most. Nothing is folded into those of keys and values then.
    """
    layers: Iterator[Any] = unet.modules()
    return [
        layer
        for layer in layers
        if stored_layers.can_be_stored(layer)
        and min(layer.weight.shape[:2]) > _LATENT_CHANNELS
        and _has_plain_forward(layer)
    ]


def _frozen(layer: nn.Module, device_type: str) -> _Frozen | None:
    """Return the replacement of a layer's forward; None where it stays."""
    if type(layer) is nn.Conv2d and is_plain(layer):
        return FrozenConvolution(layer)
    if type(layer) is nn.Linear and device_type == "cpu" and is_plain(layer):
        return FrozenLinear(layer)
    if device_type in _GATE_DEVICES and is_plain_gate(layer):
        return FrozenGate(layer)
    return _frozen_norm(layer) if device_type in _NORM_DEVICES else None


def _frozen_norm(layer: Any) -> _Frozen | None:
    if not is_plain_norm(layer):
        return None
    # Also where the host upcasts: then the weights are in float32, and it casts them in each call.
    return FrozenNorm(layer, casts=type(layer) not in _NORMS)


def is_plain_norm(layer: Any) -> bool:
    """Tell whether a layer is a norm of torch, or the host's in float32, whose weights take no gradient."""
    if getattr(layer, "bias", None) is None:
        return False
    if type(layer) in _NORMS:
        return is_plain(layer)
    return _is_from(layer, "GroupNorm32", _NORM_LIBRARIES) and _has_frozen_weights(layer)


def is_plain(layer: nn.Module) -> bool:
    """Tell whether a layer computes as its class does, with weights that take no gradient."""
    return _has_frozen_weights(layer) and _has_plain_forward(layer)


def _has_plain_forward(layer: nn.Module) -> bool:
    return (
        has_own_weights(layer)
        and _origin(layer) in _PLAIN_FORWARDS
        # Extensions for tiling, which pads with the opposite side's pixels, replace the convolution of single layers.
        and getattr(layer, "padding_mode", "zeros") == "zeros"
        and not isinstance(getattr(layer, "padding", ()), str)
        and "_conv_forward" not in vars(layer)
    )


def _has_frozen_weights(layer: Any) -> bool:
    return has_own_weights(layer) and not layer.weight.requires_grad


def _is_from(layer: nn.Module, name: str, libraries: tuple[str, ...]) -> bool:
    """Tell whether a layer is of the class `name`, with the forward of one of the libraries."""
    return (
        type(layer).__name__ == name
        and type(layer).__module__ in libraries
        and _origin(layer) in (*libraries, _WRAPPED)
    )


def is_plain_gate(layer: nn.Module) -> bool:
    """Tell whether a layer is a GEGLU of the host, computed as its class does."""
    return (
        _is_from(layer, "GEGLU", ATTENTION_LIBRARIES)
        and has_own_forward(layer)
        and not getattr(devices, "unet_needs_upcast", False)
    )


def _origin(layer: nn.Module) -> str:
    """Return the name of the module that defines the forward of a layer's class."""
    return getattr(type(layer).forward, "__module__", "")
