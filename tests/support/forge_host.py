"""The embedded host's own checkpoint held as Forge holds one: in patchers, which a memory manager moves.

The weights and what they compute are those of the embedded host, so both ways can be compared. As in Forge, they are
made in torch's inference mode, and a block writes its sums into what a norm has seen and into its own input.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from tests.support import forge_parts


class Manager:
    """As `backend.memory_management`: what is loaded, and what was asked for."""

    def __init__(self) -> None:
        self.current_loaded_models: list[Any] = []
        self.asked: list[tuple[Any, int]] = []

    def load_models_gpu(self, models, memory_required=0):
        """Put a part in front."""
        (patcher,) = models
        self.asked.append((patcher, memory_required))
        if not any(loaded.model is patcher for loaded in self.current_loaded_models):
            self.current_loaded_models.insert(0, Loaded(patcher))


class Loaded:
    """A part on its device."""

    def __init__(self, patcher) -> None:
        self.model, self.device = patcher, patcher.load_device

    def model_unload(self):
        """Nothing moves on a CPU."""


def _attend(layer, x, context=None, value=None, mask=None, **_):
    context = x if context is None else context
    parts = layer.to_q(x), layer.to_k(context), layer.to_v(context if value is None else value)
    q, k, v = (part.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for part in parts)
    out = nn.functional.scaled_dot_product_attention(q, k, v)
    return layer.to_out(out.transpose(1, 2).flatten(2))


def _block(block, x, context=None, _options=None):
    hooks = _Options.now.get("patches", {})
    n = own = value = block.norm1(x)
    for hook in hooks.get("attn1_patch", ()):
        n, own, value = hook(n, own, value, {})
    x += block.attn1(n, context=own, value=value, transformer_options={})
    n, value = block.norm2(x), context
    for hook in hooks.get("attn2_patch", ()):
        n, context, value = hook(n, context, value, {})
    x += block.attn2(n, context=context, value=value)
    kept = x
    x = block.ff(block.norm3(x))
    x += kept
    return x


class _Options:
    """Those of the running call; `ldm` has no argument for them in its blocks."""

    now: dict[str, Any] = {}  # noqa: RUF012


def _as_forge(unet: nn.Module) -> nn.Module:
    """Return a copy whose blocks call hooks."""
    with torch.inference_mode():
        dressed: Any = copy.deepcopy(unet).requires_grad_(True).train()
        dressed._apply(torch.clone)
    forward = type(unet).forward

    def called(self, x, timesteps=None, context=None, transformer_options=None, **named):
        _Options.now = transformer_options or {}
        return forward(self, x, timesteps, context=context, **named)

    for module in dressed.modules():
        if hasattr(module, "attn1"):
            module.__class__ = type("Block", (type(module),), {"_forward": _block})
        elif hasattr(module, "to_q") and hasattr(module, "to_k"):
            module.__class__ = type("Attention", (type(module),), {"forward": _attend})
    dressed.__class__ = type("UNet", (type(unet),), {"forward": called})
    return dressed


class _Objects(SimpleNamespace):
    def shallow_copy(self):
        """Return others with the same parts."""
        return _Objects(**vars(self))


def patcher(model, **more):
    """Return what holds a part."""
    return SimpleNamespace(model=model, load_device=torch.device("cpu"), **more)


class Checkpoint:
    """As `backend.diffusion_engine`: the parts of the embedded host's model."""

    def __init__(self, model: Any) -> None:
        wrapper = forge_parts.KModel()
        wrapper.diffusion_model = _as_forge(model.model.diffusion_model)
        wrapper.computation_dtype = torch.float32
        alphas = model.alphas_cumprod.clone()
        wrapper.predictor = SimpleNamespace(
            prediction_type="epsilon", alphas_cumprod=alphas, sigmas=((1 - alphas) / alphas) ** 0.5
        )
        vae = model.first_stage_model
        vae.process_in = lambda latents: latents * model.scale_factor
        self.forge_objects = self.forge_objects_original = self.forge_objects_after_applying_lora = _Objects(
            unet=patcher(wrapper),
            clip=SimpleNamespace(patcher=patcher(model.cond_stage_model), cond_stage_model=model.cond_stage_model),
            vae=SimpleNamespace(
                patcher=patcher(vae),
                first_stage_model=vae,
                device=torch.device("cpu"),
                vae_dtype=torch.float32,
                memory_used_encode=lambda shape, _dtype: 7 * shape[-1],
            ),
        )
        self.sd_checkpoint_info = SimpleNamespace(
            model_name="forged", shorthash="0123456789", filename="forged.safetensors"
        )
        self.clip_skip: int | None = None
        self.cond_stage_model = None
        self._model = model

    def set_clip_skip(self, layers: int) -> None:
        """Note it."""
        self.clip_skip = layers

    @torch.inference_mode()
    def get_learned_conditioning(self, texts):
        """As the embedded host encodes them."""
        return self._model.get_learned_conditioning(texts)


@contextmanager
def running(host: Any, monkeypatch: Any) -> Iterator[tuple[Checkpoint, Manager]]:
    """Let the embedded host be Forge, with its checkpoint."""
    manager, model = Manager(), host.model
    with forge_parts.added():
        monkeypatch.setitem(sys.modules, "backend.memory_management", manager)
        checkpoint = Checkpoint(model)
        monkeypatch.setattr(host.module("shared"), "sd_model", checkpoint)
        yield checkpoint, manager
    del model.first_stage_model.process_in
