"""A U-Net that was made for pictures alone, made fit for gradients: the same weights, the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...hypernetworks.kernels.tensors import version

_NORMS = ("norm_in", "norm1", "norm2", "norm3")


def make_usable(module: nn.Module) -> None:
    """Give the weights that were made in torch's inference mode, which no gradient can pass, back to autograd.

    They stay where they are in memory; only torch's mark on them is gone.
    """
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            if _is_marked(weight):
                part._parameters[name] = nn.Parameter(_unmarked(weight), weight.requires_grad)
        for name, buffer in part.named_buffers(recurse=False):
            if _is_marked(buffer):
                part._buffers[name] = _unmarked(buffer)


def _is_marked(tensor: Tensor) -> bool:
    # A move outside of that mode takes only half of the mark away, and one inside sets the other half.
    return tensor.is_inference() or version(tensor) is None


def _unmarked(tensor: Tensor) -> Tensor:
    with torch.inference_mode(False):
        empty = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return empty.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())


@contextmanager
def on_copies(blocks: list[nn.Module]) -> Iterator[None]:
    """Let transformer blocks add in place to copies where gradients are wanted.

    Forge's write their sums into what a norm has kept for the backward pass, and into the input of the block, which
    checkpoints keep.
    """
    changed: list[tuple[nn.Module, Any]] = []
    hooks: list[Any] = []
    try:
        for block in blocks:
            changed.append((block, vars(block).get("forward")))
            block.forward = _on_copy(block.forward)
            norms = (getattr(block, name, None) for name in _NORMS)
            hooks += [norm.register_forward_pre_hook(_copied) for norm in norms if isinstance(norm, nn.Module)]
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for block, own in changed:
            if own is None:
                del block.forward
            else:
                block.forward = own


def _on_copy(forward: Callable[..., Any]) -> Callable[..., Any]:
    def forward_on_copy(x: Tensor, *inputs: Any, **named: Any) -> Any:
        return forward(x.clone() if torch.is_grad_enabled() else x, *inputs, **named)

    return forward_on_copy


def _copied(_norm: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    x, *others = inputs
    return (x.clone() if torch.is_grad_enabled() and x.requires_grad else x, *others)
