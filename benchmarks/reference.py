"""A training step that works as the WebUI's own trainer does, to measure ours against.

All parameters of the U-Net take gradients, which nobody uses and which add up from step to step; every block is
checkpointed re-entrantly; attention is a plain einsum; networks run again in each layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.network.hypernetwork import Hypernetwork
from hypernetwork_workbench.hypernetworks.train.noise import NoisyBatch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class Reference:
    """Network, optimizer and U-Net as the WebUI's trainer holds them."""

    def __init__(self, unet: nn.Module, network: Hypernetwork, rate: float = 1e-5) -> None:
        self.unet = unet
        self.network = network
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=rate)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Set the U-Net up as that trainer does; afterwards it is as it was, without gradients."""
        wanted = [parameter.requires_grad for parameter in self.unet.parameters()]
        before = self.network.training
        self.unet.requires_grad_(True)
        self.network.train()
        try:
            with ExitStack() as stack:
                for cls, forward in self._forwards().items():
                    stack.enter_context(_replaced(cls, forward))
                yield
        finally:
            self.network.train(before)
            for parameter, is_wanted in zip(self.unet.parameters(), wanted, strict=True):
                parameter.grad = None
                parameter.requires_grad_(is_wanted)

    def step(self, batch: NoisyBatch) -> Tensor:
        """Take one optimizer step on a batch and return the loss."""
        loss = self.backward(batch)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def backward(self, batch: NoisyBatch) -> Tensor:
        """Add the gradients of a batch and return the loss, read at once as that trainer does."""
        is_half = next(self.unet.parameters()).dtype != torch.float32
        with torch.autocast(batch.noisy.device.type, torch.float16, enabled=is_half):
            prediction = self.unet(batch.noisy, batch.timesteps, context=batch.conditioning.text)
            loss = functional.mse_loss(prediction.float(), batch.target)
        # Without the scale gradients too small for fp16 would be lost; it takes next to no time.
        (loss * (65536.0 if is_half else 1.0)).backward()
        loss.item()
        return loss.detach()

    def _forwards(self) -> dict[type[nn.Module], Any]:
        forwards: dict[type[nn.Module], Any] = {}
        for module in self.unet.modules():
            if hasattr(module, "to_q") and hasattr(module, "to_k"):
                forwards[type(module)] = self._attention
            elif hasattr(module, "attn1") or hasattr(module, "emb_layers"):
                forwards[type(module)] = _checkpointed
        return forwards

    @property
    def _attention(self) -> Any:
        network = self.network

        def forward(layer: Any, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
            """Return the attention of x [batch, tokens, width], computed with whole matrices."""
            k_in, v_in = network.transform(x if context is None else context)
            parts = (layer.to_q(x), layer.to_k(k_in), layer.to_v(v_in))
            q, k, v = (part.unflatten(-1, (layer.heads, -1)).transpose(1, 2).flatten(0, 1) for part in parts)
            scores = torch.einsum("bid,bjd->bij", q, k) * layer.scale
            out = torch.einsum("bij,bjd->bid", scores.softmax(dim=-1), v)
            return layer.to_out(out.unflatten(0, (-1, layer.heads)).transpose(1, 2).flatten(2))

        return forward


def _checkpointed(block: Any, *inputs: Any, context: Any = None) -> Any:
    inputs = inputs if context is None else (*inputs, context)
    return checkpoint(block._forward, *inputs, use_reentrant=True)


@contextmanager
def _replaced(cls: type[nn.Module], forward: Any) -> Iterator[None]:
    before = cls.forward
    cls.forward = forward
    try:
        yield
    finally:
        cls.forward = before
