"""What is done to the U-Net of a pipeline while a network trains in it, to take less memory; all of it is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...hypernetworks.kernels.frozen_layers import FrozenConvolution, FrozenGate, FrozenLinear
from ...hypernetworks.kernels.frozen_norms import FrozenNorm

#: Makes the contexts (autocast) that a forward of the U-Net runs in.
Surroundings = Callable[[], AbstractContextManager[Any]]

#: Where the plain layers of torch have their forward.
_PLAIN = ("torch.nn.modules.linear", "torch.nn.modules.conv", "torch.nn.modules.normalization")
_GATE = ("diffusers.models.activations", "GEGLU")
#: On other devices the gradient of a convolution may need more than the shape of its input.
_DEVICES = ("cpu", "cuda", "mps")
#: On MPS some versions of torch write wrong numbers into non-contiguous tensors, such as the gradient of a gate's half.
_GATE_DEVICES = ("cpu", "cuda")


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Let no weight of `model` take a gradient, and put its layers into evaluation mode."""
    thawed = [weight for weight in model.parameters() if weight.requires_grad]
    trained = [module for module in model.modules() if module.training]
    try:
        model.eval().requires_grad_(False)
        yield
    finally:
        for weight in thawed:
            weight.requires_grad_(True)
        for module in trained:
            module.training = True


@contextmanager
def lean(unet: nn.Module, device_type: str) -> Iterator[None]:
    """Let plain layers, whose weights take no gradient, keep less for the backward pass; faster on a CPU."""
    with _forwards(unet, lambda layer: _lean_forward(layer, device_type)):
        yield


@contextmanager
def checkpointed(unet: nn.Module, which: str, surroundings: Surroundings) -> Iterator[None]:
    """Compute blocks again in the backward pass: none, with "attention" the transformer blocks, or "all".

    Diffusers' own checkpointing needs its blocks in training mode. Not re-entrant, so that gradients also reach
    networks in blocks whose inputs need none, such as the first ones.

    Args:
        surroundings: what a forward of the U-Net runs in.
    """

    def checkpointing(block: nn.Module) -> Callable[..., Any] | None:
        return _checkpointed(block.forward, surroundings) if _is_in(block, which) else None

    with _forwards(unet, checkpointing):
        yield


def _is_in(block: nn.Module, which: str) -> bool:
    if which == "none":
        return False
    is_transformer = hasattr(block, "attn1") and hasattr(block, "attn2")
    return is_transformer or (which == "all" and hasattr(block, "time_emb_proj"))


def _checkpointed(forward: Callable[..., Any], surroundings: Surroundings) -> Any:
    def checkpointed_forward(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)

        def run(*inputs: Any, **named: Any) -> Any:
            with surroundings():
                return forward(*inputs, **named)

        # Networks with dropout draw the same numbers again.
        return checkpoint(run, *inputs, use_reentrant=False, preserve_rng_state=True, **named)

    return checkpointed_forward


def _lean_forward(layer: Any, device_type: str) -> Callable[[Tensor], Tensor] | None:
    lean_layer = _lean_layer(layer, device_type)
    if lean_layer is None:
        return None
    plain = layer.forward

    def forward(x: Tensor, *inputs: Any, **named: Any) -> Tensor:
        return lean_layer(x) if torch.is_grad_enabled() else plain(x, *inputs, **named)

    return forward


def _lean_layer(layer: Any, device_type: str) -> Callable[[Tensor], Tensor] | None:
    """Return what computes the same as a layer; None where it stays."""
    kind = type(layer)
    origin = getattr(kind.forward, "__module__", "")
    if (kind.__module__, kind.__name__) == _GATE and origin == _GATE[0]:
        return FrozenGate(layer) if device_type in _GATE_DEVICES and type(layer.proj) is nn.Linear else None
    if origin not in _PLAIN or device_type not in _DEVICES or "forward" in vars(layer):
        return None
    if kind is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
        return FrozenConvolution(layer)
    if kind is nn.Linear and device_type == "cpu":
        return FrozenLinear(layer)
    is_norm = kind in (nn.GroupNorm, nn.LayerNorm) and layer.bias is not None
    return FrozenNorm(layer) if is_norm and device_type == "cuda" else None


@contextmanager
def _forwards(model: nn.Module, replacement: Callable[[nn.Module], Callable[..., Any] | None]) -> Iterator[None]:
    """Replace the forwards of single modules; None leaves one as it is."""
    changed: list[tuple[nn.Module, Any]] = []
    try:
        for module in model.modules():
            forward = replacement(module)
            if forward is not None:
                changed.append((module, vars(module).get("forward")))
                module.forward = forward
        yield
    finally:
        for module, own in changed:
            if own is None:
                del module.forward
            else:
                module.forward = own
