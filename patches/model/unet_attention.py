"""Runs the U-Net's attention on a chosen kernel during a forward in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from modules import devices, shared
from modules.hypernetworks import hypernetwork
from torch import Tensor, nn

from ...hypernetworks.kernels.attention import Kernel
from ..patching import capabilities
from . import attention_layers


@contextmanager
def on_kernel(unet: nn.Module, kernel: Kernel | None) -> Iterator[None]:
    """Run all attention layers of `unet` on `kernel`; None leaves the host's own attention."""
    if kernel is None:
        yield
        return
    forward = _forward(kernel, _from_hooks if capabilities.attention_has_hooks() else _from_networks)
    # The host, too, chooses its attention by the forward of the class.
    classes = {type(layer) for layer in attention_layers.of(unet).all}
    before = {cls: vars(cls).get("forward") for cls in classes}
    try:
        for cls in classes:
            cls.forward = forward
        yield
    finally:
        for cls, own in before.items():
            if vars(cls).get("forward") is not forward:
                continue  # the host has changed to another one meanwhile
            if own is None:
                del cls.forward
            else:
                cls.forward = own


def _from_networks(layer: Any, context: Tensor, _value: Tensor | None = None) -> tuple[Tensor, Tensor]:
    k_in, v_in = hypernetwork.apply_hypernetworks(shared.loaded_hypernetworks, context, layer)
    return k_in, v_in


def _from_hooks(_layer: Any, context: Tensor, value: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return what hooks of the block have made of the inputs already."""
    return context, context if value is None else value


def _forward(kernel: Kernel, inputs: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
    def forward(
        self: Any, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Return the attention of x [batch, tokens, width] to itself or to `context`, with hypernetworks applied."""
        k_in, v_in = inputs(self, x if context is None else context, named.get("value"))
        parts = (self.to_q(x), self.to_k(k_in), self.to_v(v_in))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        dtype = q.dtype
        is_upcast = getattr(shared.opts, "upcast_attn", False)
        if is_upcast:
            q, k, v = q.float(), k.float(), v.float()
        allowed = None if mask is None else mask.flatten(1)[:, None, None, :]
        # Autocast would cast them down again.
        with devices.without_autocast() if is_upcast else nullcontext():
            out = kernel(q, k, v, allowed)
        return self.to_out(out.transpose(1, 2).flatten(2).to(dtype))

    return forward
