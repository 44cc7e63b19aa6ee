"""Hypernetworks in pipelines of diffusers: SD1, SD2 and SDXL.

    from hypernetwork_workbench.adapters import diffusers as adapter

    with adapter.apply(pipe, network, strength=0.8):
        picture = pipe("a lighthouse").images[0]

The inputs of `to_k` and `to_v` of every attention layer are changed by hooks, so the pipeline keeps its own attention
(SDPA, xformers, slices, PAG) and its weights: LoRAs, saving and offloading see nothing of it.

Affine networks are multiplied out to one product with the input. Folding them into the weights of `to_k` and `to_v`
would save 2 to 3 % of a forward more (measured on a CPU, widths 320 and 640), and saved pipelines would have them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from ..hypernetworks.base.errors import AdapterError
from ..hypernetworks.compose import Composition
from ..hypernetworks.compose.bound import Step
from ..hypernetworks.inference import Sides
from ..hypernetworks.kernels.tensors import is_compiling
from ..hypernetworks.network.hypernetwork import Hypernetwork
from .chains import Row, chain_of, check_widths
from .unet_layers import Layer, check, layers_of

__all__ = ["Applied", "apply", "remove"]

_PROJECTIONS = ("to_k", "to_v")


def apply(
    pipe: Any,
    what: Row | Sequence[Row] | Composition,
    strength: float = 1.0,
    networks: Mapping[str, Hypernetwork] | None = None,
) -> Applied:
    """Apply networks to a pipeline until `remove`, or until the end of a `with`.

    Every pipeline with the same U-Net has them too; a ControlNet has not. Strength 0 is the pipeline's own result bit
    for bit. LoRAs and other attention processors may come and go meanwhile, unless the U-Net is compiled.

    Args:
        pipe: a pipeline of diffusers with a `UNet2DConditionModel`.
        what: one network, a list of them in the order in which they are applied, each alone or as
            `(network, strength)`, or a composition.
        strength: multiplies what all of them together add; any finite number.
        networks: those that a composition names.

    Raises:
        AdapterError: the pipeline has no U-Net of this kind or networks already, a network is of another family, or an
            attention processor cannot take any.
        SettingsError: nothing to apply, or a strength that is no number.
        CompositionError: a name of the composition is not in `networks`.
    """
    unet = _unet(pipe)
    step, used = chain_of(what, strength, networks)
    if _applied(unet) is not None:
        raise AdapterError("hypernetworks are applied to this U-Net already: remove(pipe) takes them off")
    layers = layers_of(unet)
    check_widths(used, {layer.width for layer in layers})
    return Applied(unet, layers, step)


def remove(pipe: Any) -> None:
    """Take all networks off a pipeline, which then is what it was bit for bit; without any nothing happens."""
    applied = _applied(_unet(pipe))
    if applied is not None:
        applied.remove()


class Applied:
    """Networks on a U-Net; a `with` takes them off at its end."""

    def __init__(self, unet: nn.Module, layers: tuple[Layer, ...], step: Step) -> None:
        self._unet, self._layers, self._sides = unet, layers, Sides(step)
        self._hooks: dict[tuple[str, str], tuple[nn.Module, Any]] = {}
        self._processors: dict[str, Any] = {}
        try:
            self._reach()
            self._watch: Any = unet.register_forward_pre_hook(self._before_forward)
        except BaseException:
            self._leave()
            raise
        _forget_compiled()

    def __enter__(self) -> Applied:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()

    def remove(self) -> None:
        """Take the networks off; a second time nothing happens."""
        if _applied(self._unet) is self:
            self._watch.remove()
            self._leave()
            _forget_compiled()

    def _reach(self) -> None:
        """Put a hook on the present `to_k` and `to_v` of each layer; a LoRA may have replaced them."""
        for layer in self._layers:
            processor = layer.attention.processor
            if self._processors.get(layer.name) is not processor:
                check(layer)
                self._processors[layer.name] = processor
            for name in _PROJECTIONS:
                projection = getattr(layer.attention, name)
                hooked = self._hooks.get((layer.name, name))
                if hooked is not None and hooked[0] is projection:
                    continue
                if hooked is not None:
                    hooked[1].remove()
                hook = functools.partial(self._transform, name == "to_v", layer.is_text)
                self._hooks[layer.name, name] = projection, projection.register_forward_pre_hook(hook)
        self._traced = [
            (layer.attention, *(self._hooks[layer.name, name][0] for name in _PROJECTIONS)) for layer in self._layers
        ]

    def _leave(self) -> None:
        while self._hooks:
            self._hooks.popitem()[1][1].remove()

    def _before_forward(self, _unet: nn.Module, _inputs: Any) -> None:
        if is_compiling():
            self._check_traced()
            return
        self._reach()
        self._sides.refresh()

    def _check_traced(self) -> None:
        """Refuse, while a graph is compiled, layers without our hooks, which cannot be put on then."""
        for attention, to_k, to_v in self._traced:
            if attention.to_k is not to_k or attention.to_v is not to_v:
                raise AdapterError(
                    "the layers of a compiled U-Net were replaced while hypernetworks are applied, as by a LoRA: "
                    "remove(pipe), load it, and apply them again"
                )

    def _transform(self, for_v: bool, is_text: bool, _projection: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        return (self._sides(inputs[0], for_v, is_text), *inputs[1:])


def _unet(pipe: Any) -> nn.Module:
    unet = getattr(pipe, "unet", None)
    unet = getattr(unet, "_orig_mod", unet)  # inside of what torch.compile gives
    if unet is None:
        raise AdapterError(f"{type(pipe).__name__} has no U-Net: hypernetworks are for SD1, SD2 and SDXL")
    if not any(kind.__name__ == "UNet2DConditionModel" for kind in type(unet).__mro__):
        raise AdapterError(
            f"{type(pipe).__name__} has a {type(unet).__name__}: hypernetworks are for the U-Nets of SD1, SD2 and SDXL"
        )
    return unet


def _applied(unet: nn.Module) -> Applied | None:
    """Return what is applied to a U-Net; it is kept in the hooks alone, which a copy of the U-Net has as well."""
    owners = (getattr(hook, "__self__", None) for hook in unet._forward_pre_hooks.values())
    return next((owner for owner in owners if isinstance(owner, Applied)), None)


def _forget_compiled() -> None:
    """Have compiled models be compiled anew: torch does not notice hooks that come or go afterwards."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
