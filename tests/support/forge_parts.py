"""Stand-ins for the part of Forge that hypernetworks touch: how it holds a U-Net, and how its blocks call hooks."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import SimpleNamespace

import torch
from torch import nn

WIDTH, TEXT_WIDTH = 16, 12


class Linear(nn.Module):
    """Not torch's own, as in Forge."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / in_features**0.5)

    def forward(self, x):
        """Without a bias."""
        return nn.functional.linear(x, self.weight)


class Attention(nn.Module):
    """Keys of the context; values of it too, or of another input."""

    def __init__(self, context_width: int) -> None:
        super().__init__()
        self.to_q = Linear(WIDTH, WIDTH)
        self.to_k = Linear(context_width, WIDTH)
        self.to_v = Linear(context_width, WIDTH)

    def forward(self, x, context=None, value=None):
        """One head."""
        context = x if context is None else context
        value = context if value is None else value
        return nn.functional.scaled_dot_product_attention(self.to_q(x), self.to_k(context), self.to_v(value))


class Block(nn.Module):
    """Self-attention and attention on the text; before each the hooks of `transformer_options` in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.attn1, self.attn2 = Attention(WIDTH), Attention(TEXT_WIDTH)

    def forward(self, x, context, transformer_options):
        """Hooks get and give queries' input, keys' input, values' input."""
        hooks = transformer_options.get("patches", {})
        others = {key: value for key, value in transformer_options.items() if key != "patches"}
        n, own, value = x, None, None
        if "attn1_patch" in hooks:
            own = value = n
            for hook in hooks["attn1_patch"]:
                n, own, value = hook(n, own, value, others)
        x = x + self.attn1(n, own, value)
        n, value = x, None
        if "attn2_patch" in hooks:
            value = context
            for hook in hooks["attn2_patch"]:
                n, context, value = hook(n, context, value, others)
        return x + self.attn2(n, context, value)


class UNet(nn.Module):
    """Two blocks, which get the same context."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x, _timesteps, context=None, transformer_options=None):
        """Each block after the other."""
        for block in self.blocks:
            x = block(x, context, {} if transformer_options is None else transformer_options)
        return x


class KModel(nn.Module):
    """As in `backend.modules.k_model`."""

    def __init__(self) -> None:
        super().__init__()
        self.diffusion_model = UNet()

    def apply_model(self, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options={}, **kwargs):  # noqa: B006
        """One call of the U-Net."""
        return self.diffusion_model(x, t, context=c_crossattn, transformer_options=transformer_options)


class Checkpoint:
    """It has no `model`; a patcher holds the U-Net."""

    def __init__(self) -> None:
        self.forge_objects = SimpleNamespace(unet=SimpleNamespace(model=KModel().requires_grad_(False)))


@contextmanager
def added() -> Iterator[None]:
    """For its length the embedded host has what Forge has and AUTOMATIC1111's does not."""
    parts: dict[str, dict[str, object]] = {
        "modules_forge": {},
        "backend": {},
        "backend.modules": {},
        "backend.modules.k_model": {"KModel": KModel},
    }
    try:
        for name, attributes in parts.items():
            module = types.ModuleType(name)
            module.__spec__, module.__path__ = ModuleSpec(name, None), []
            vars(module).update(attributes)
            sys.modules[name] = module
        yield
    finally:
        for name in parts:
            sys.modules.pop(name, None)
