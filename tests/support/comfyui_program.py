"""A made-up ComfyUI by its documented patches: `attn1_patch` and `attn2_patch` in `transformer_options["patches"]`.

Each is called with what goes into `to_q`, `to_k` and `to_v`, and returns these three; clones of a model have deep
copies of its options, and what a patch returns from `models()` is loaded before sampling. `tests/real_comfyui` tries
the real one.
"""

from __future__ import annotations

import copy
import types
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class ModelPatcher:
    """A model with options of its own; clones share the model."""

    def __init__(self, model: Any, load_device: Any, offload_device: Any) -> None:
        self.model, self.load_device, self.offload_device = model, load_device, offload_device
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        model.device = offload_device  # as the real one writes into its models

    def clone(self) -> Any:
        """Return one with the same model."""
        other = type(self)(self.model, self.load_device, self.offload_device)
        other.model_options = copy.deepcopy(self.model_options)
        return other

    def set_model_attn1_patch(self, patch: Any) -> None:
        """Add a patch of the self-attention."""
        self._add("attn1_patch", patch)

    def set_model_attn2_patch(self, patch: Any) -> None:
        """Add a patch of the text's attention."""
        self._add("attn2_patch", patch)

    def _add(self, name: str, patch: Any) -> None:
        patches = self.model_options["transformer_options"].setdefault("patches", {})
        patches[name] = [*patches.get(name, []), patch]

    def patches(self) -> list[Any]:
        """Return all of them."""
        return [
            each for found in self.model_options["transformer_options"].get("patches", {}).values() for each in found
        ]

    def partially_unload(self, _device: Any, _bytes: int) -> int:
        """Free as much as was asked for."""
        return 1


class Attention(nn.Module):
    """One head."""

    def __init__(self, width: int, text: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(each, width, bias=False) for each in (width, text, text))

    def forward(self, x: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend."""
        return functional.scaled_dot_product_attention(self.to_q(x), self.to_k(k), self.to_v(v))


class Block(nn.Module):
    """A transformer block: self-attention, then attention to the text."""

    def __init__(self, width: int, text: int) -> None:
        super().__init__()
        self.attn1, self.attn2 = Attention(width, width), Attention(width, text)

    def forward(self, x: Tensor, context: Tensor, options: dict[str, Any]) -> Tensor:
        """Run, with the patches in the order in which they were set."""
        extra = {key: value for key, value in options.items() if key != "patches"}
        for name, attention, source in (("attn1_patch", self.attn1, None), ("attn2_patch", self.attn2, context)):
            q = functional.layer_norm(x, x.shape[-1:])
            k = v = q if source is None else source
            for patch in options.get("patches", {}).get(name, []):
                q, k, v = patch(q, k, v, extra)
            x = x + attention(q, k, v)
        return x


class Model(nn.Module):
    """What a model patcher has: a U-Net, here of two blocks of widths 16 and 16 beside a text of 24."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.diffusion_model = nn.ModuleList([Block(16, 24), Block(16, 24)]).eval().requires_grad_(False)

    def run(self, patcher: ModelPatcher, steps: int = 2) -> Tensor:
        """Return what steps of a sampler make, with one object of sigmas a step."""
        torch.manual_seed(2)
        x, context = torch.randn(2, 5, 16), torch.randn(2, 7, 24)
        for step in range(steps):
            options = patcher.model_options["transformer_options"] | {"sigmas": torch.tensor([float(step)])}
            for block in self.diffusion_model:
                x = block(x, context, options)
        return x


def made_up(folders: list[str]) -> dict[str, types.ModuleType]:
    """Return the modules of a ComfyUI with these folders of networks, by name."""

    def module(name: str, **names: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        made.__dict__.update(names)
        return made

    return {
        "folder_paths": module("folder_paths", get_folder_paths={"hypernetworks": folders}.__getitem__),
        "comfy": module("comfy"),
        "comfy.model_patcher": module("comfy.model_patcher", ModelPatcher=ModelPatcher),
        "comfy.model_management": module(
            "comfy.model_management", get_torch_device=lambda: torch.device("cpu"), load_models_gpu=None
        ),
    }
