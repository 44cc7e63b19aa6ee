"""The blocks of the U-Net that are compiled while a hypernetwork trains: residual and feed-forward ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...hypernetworks.kernels import compiled
from . import lean_layers
from .folding import has_own_forward, lora_is_active

_RESIDUAL = ("ldm.modules.diffusionmodules.openaimodel", "sgm.modules.diffusionmodules.openaimodel")
#: Switches of a residual block that make it another function.
_OTHERWISE = ("updown", "use_scale_shift_norm", "exchange_temb_dims", "skip_t_emb")
#: Where torch keeps hooks of a layer, which run only if its block calls it.
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_log = logging.getLogger(__name__)

_Found = tuple[compiled.Block, tuple[Any, ...], dict[str, Any]]


@contextmanager
def compiling(unet: nn.Module, compiler: compiled.Compiler | None, device: torch.device) -> Iterator[None]:
    """Let `compiler` compile blocks of `unet`, whose weights must take no gradient, on a GPU; best within `lean`."""
    if compiler is None or not compiled.is_wanted(True, device) or compiled.obstacle(device):
        yield
        return
    changed: list[nn.Module] = []
    try:
        for block in unet.modules():
            found = None if lora_is_active() else _compilable(block)
            if found is not None:
                block.forward = compiled.CompiledBlock(compiler, *found, plain=block.forward)
                changed.append(block)
        if changed:
            _log.info("The first step on pictures of each size compiles %d blocks of the U-Net.", len(changed))
        else:
            _log.warning("Nothing of this U-Net can be compiled.")
        yield
    finally:
        for block in changed:
            del block.forward


def _compilable(block: nn.Module) -> _Found | None:
    """Return what the block computes, the layers whose weights it takes and its numbers; None where that is unknown."""
    if "forward" in vars(block) or _is_hooked_into(block):
        return None
    kind, origin = type(block).__name__, getattr(type(block).forward, "__module__", "")
    if kind == "ResBlock" and origin in _RESIDUAL and _computes_as_its_library(block):
        return _residual(block)
    return _feed_forward(block) if kind == "FeedForward" and origin in lean_layers.ATTENTION_LIBRARIES else None


def _is_hooked_into(block: nn.Module) -> bool:
    """Tell whether others want to know of, or change, what layers within the block take or give."""
    inside = (layer for layer in block.modules() if layer is not block)
    return any(getattr(layer, hooks, None) for layer in inside for hooks in _HOOKS)


def _computes_as_its_library(block: Any) -> bool:
    """Tell whether what the forward of a residual block calls is as the library has it."""
    inner = getattr(type(block), "_forward", type(block).forward)
    return "_forward" not in vars(block) and getattr(inner, "__module__", "") in _RESIDUAL


def _residual(block: Any) -> _Found | None:
    if any(getattr(block, switch, False) for switch in _OTHERWISE):
        return None
    kinds = [[_kind(layer) for layer in part] for part in (block.in_layers, block.emb_layers, block.out_layers)]
    if kinds != [["norm", "SiLU", "3"], ["SiLU", "linear"], ["norm", "SiLU", "nothing", "3"]]:
        return None
    layers = [block.in_layers[0], block.in_layers[2], block.emb_layers[1], block.out_layers[0], block.out_layers[3]]
    beside = _kind(block.skip_connection)
    if beside == "1":
        layers.append(block.skip_connection)
    elif beside != "nothing":
        return None
    norms = layers[0], layers[3]
    numbers = {"groups": tuple(norm.num_groups for norm in norms), "eps": tuple(norm.eps for norm in norms)}
    return compiled.residual, tuple(layers), numbers


def _feed_forward(block: Any) -> _Found | None:
    kinds = [_kind(layer) for layer in block.net]
    if kinds != ["gate", "nothing", "linear"]:
        return None
    return compiled.feed_forward, (block.net[0].proj, block.net[2]), {}


def _kind(layer: Any) -> str:
    """Return what a layer of a block is, a convolution by the side of its kernel; empty for all that is not known."""
    if not has_own_forward(layer):
        return ""
    if type(layer) is nn.Identity or (type(layer) is nn.Dropout and not (layer.training and layer.p)):
        return "nothing"
    if type(layer) is nn.SiLU:
        return "SiLU"
    if lean_layers.is_plain_gate(layer):
        return "gate" if _kind(layer.proj) == "linear" else ""
    if isinstance(layer, nn.GroupNorm):
        return "norm" if lean_layers.is_plain_norm(layer) else ""
    return _kind_of_product(layer)


def _kind_of_product(layer: Any) -> str:
    if getattr(layer, "bias", None) is None or not lean_layers.is_plain(layer):
        return ""
    if type(layer) is nn.Conv2d:
        return _side(layer)
    return "linear" if type(layer) is nn.Linear else ""


def _side(layer: nn.Conv2d) -> str:
    """Return the side of the kernel of a convolution whose output has the size of its input; else nothing."""
    side = layer.kernel_size[0]
    form = layer.kernel_size, layer.padding, layer.stride, layer.dilation, layer.groups
    return str(side) if form == ((side, side), (side // 2, side // 2), (1, 1), (1, 1), 1) else ""
