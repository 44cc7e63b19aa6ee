"""Hypernetworks as the host itself reads and applies them: plain, without the extension's additions."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.standalone.ldm_support import ldm
from torch import nn

from modules import devices, errors, hashes, shared

log = logging.getLogger("workbench.host")
_default = ldm("modules.attention").default

ACTIVATIONS: dict[str, Any] = {
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softsign": nn.Softsign,
    "mish": nn.Mish,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
OLD_NAMES = {"linear1": "linear.0", "linear2": "linear.1"}


class HypernetworkModule(nn.Module):
    """One small network for one width: x + strength * mlp(x), x [batch, tokens, width]."""

    def __init__(self, dim: int, state_dict: dict[str, Any], info: dict[str, Any]) -> None:
        super().__init__()
        self.multiplier = 1.0
        structure = info["layer_structure"]
        activation = info["activation_func"]
        layers: list[nn.Module] = []
        for number, (fan_in, fan_out) in enumerate(itertools.pairwise(structure)):
            layers.append(nn.Linear(int(dim * fan_in), int(dim * fan_out)))
            is_last = number == len(structure) - 2
            if activation not in (None, "linear") and (not is_last or info["activate_output"]):
                if activation not in ACTIVATIONS:
                    raise ValueError(f"it uses the unknown activation {activation!r}")
                layers.append(ACTIVATIONS[activation]())
            if info["is_layer_norm"]:
                layers.append(nn.LayerNorm(int(dim * fan_out)))
            dropout = info["dropout_structure"]
            if dropout and dropout[number + 1] > 0:
                layers.append(nn.Dropout(dropout[number + 1]))
        self.linear = nn.Sequential(*layers)
        renamed = {}
        for key, tensor in state_dict.items():
            first, _, rest = key.partition(".")
            renamed[f"{OLD_NAMES[first]}.{rest}" if first in OLD_NAMES else key] = tensor
        self.load_state_dict(renamed)
        self.to(devices.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The bent context; at full strength while training."""
        return x + self.linear(x) * (1.0 if self.training else self.multiplier)


def _dropout(state: dict[str, Any]) -> list[float]:
    """The dropout structure of a file, worked out from the two flags of older files where it is absent."""
    structure = state["layer_structure"]
    if state.get("dropout_structure") is not None:
        return state["dropout_structure"]
    if not state.get("use_dropout", False):
        return [0.0] * len(structure)
    last = 0.3 if state.get("last_layer_dropout", False) else 0.0
    return [0.0, *[0.3] * (len(structure) - 3), last, 0.0]


class Hypernetwork:
    """A pair of modules (for k and v) per attention width, in `layers`."""

    def __init__(self, name: str | None = None) -> None:
        self.name, self.filename = name, None  # type: str | None, str | None
        self.layers: dict[int, tuple[HypernetworkModule, HypernetworkModule]] = {}
        self.step = 0
        self.sd_checkpoint: str | None = None
        self.sd_checkpoint_name: str | None = None
        self.layer_structure: list[float] = [1, 2, 1]
        self.activation_func: str | None = None
        self.add_layer_norm = self.activate_output = False
        self.optional_info: str | None = None

    def load(self, filename: str) -> None:
        """Reads a .pt file; executes nothing in it."""
        state = torch.load(filename, map_location="cpu", weights_only=True)
        self.filename = str(filename)
        self.name = state.get("name") or self.name or Path(filename).stem
        state.setdefault("layer_structure", [1, 2, 1])
        info = {
            "layer_structure": state["layer_structure"],
            "activation_func": state.get("activation_func"),
            "activate_output": state.get("activate_output", True),
            "is_layer_norm": state.get("is_layer_norm", False),
            "dropout_structure": _dropout(state),
        }
        for size, pair in state.items():
            if type(size) is int:
                k, v = (HypernetworkModule(size, part, info) for part in pair)
                self.layers[size] = (k, v)
        self.layer_structure, self.activation_func = info["layer_structure"], info["activation_func"]
        self.add_layer_norm, self.activate_output = info["is_layer_norm"], info["activate_output"]
        self.step = state.get("step", 0)
        self.sd_checkpoint, self.sd_checkpoint_name = state.get("sd_checkpoint"), state.get("sd_checkpoint_name")
        self.optional_info = state.get("optional_info")
        self.eval()

    def weights(self) -> list[nn.Parameter]:
        """All parameters."""
        return [weight for pair in self.layers.values() for module in pair for weight in module.parameters()]

    def train(self, mode: bool = True) -> Hypernetwork:
        """Switches to training, at strength 1 and with gradients, or back."""
        for pair in self.layers.values():
            for module in pair:
                module.train(mode).requires_grad_(mode)
        return self

    def eval(self) -> Hypernetwork:
        """Switches to generating."""
        return self.train(False)

    def to(self, device: torch.device) -> Hypernetwork:
        """Moves all modules."""
        for pair in self.layers.values():
            for module in pair:
                module.to(device)
        return self

    def set_multiplier(self, multiplier: float) -> Hypernetwork:
        """Sets the strength for generating."""
        for pair in self.layers.values():
            for module in pair:
                module.multiplier = multiplier
        return self

    def shorthash(self) -> str | None:
        """First ten digits of the file's sha256, None when hashing is off."""
        if self.filename is None:
            return None
        value = hashes.sha256(self.filename, f"hypernet/{self.name}")
        return value[:10] if value else None


def list_hypernetworks(path: str) -> dict[str, str]:
    """Name -> path of every .pt file below a folder."""
    found = sorted(Path(path).rglob("*.pt"), key=lambda file: str(file).lower())
    return {file.stem: str(file) for file in found if file.stem != "None"}


def load_hypernetwork(name: str) -> Any:
    """The hypernetwork of a name; None, with the reason in the log, if it cannot be read."""
    path = shared.hypernetworks.get(name)
    if path is None:
        return None
    network = Hypernetwork()
    try:
        network.load(path)
    except Exception:
        errors.report(f"Error loading hypernetwork {path}", exc_info=True)
        return None
    return network


def load_hypernetworks(names: list[str], multipliers: list[float] | None = None) -> None:
    """Puts the named hypernetworks in use, each with its strength; keeps those that are loaded already."""
    loaded = {network.name: network for network in shared.loaded_hypernetworks if network.name in names}
    shared.loaded_hypernetworks.clear()
    for number, name in enumerate(names):
        network = loaded.get(name) or load_hypernetwork(name)
        if network is None:
            log.warning("There is no hypernetwork %r that can be read: it is left out", name)
            continue
        network.set_multiplier(multipliers[number] if multipliers else 1.0)
        shared.loaded_hypernetworks.append(network)


def apply_single_hypernetwork(
    hypernetwork: Any, context_k: torch.Tensor, context_v: torch.Tensor, layer: nn.Module | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bends both contexts [batch, tokens, width] by one network; unchanged where it has nothing for the width."""
    pair = hypernetwork.layers.get(context_k.shape[2]) if hypernetwork is not None else None
    if pair is None:
        return context_k, context_v
    k = devices.cond_cast_unet(pair[0](devices.cond_cast_float(context_k)))
    v = devices.cond_cast_unet(pair[1](devices.cond_cast_float(context_v)))
    return k, v


def apply_hypernetworks(
    hypernetworks: list[Any], context: torch.Tensor, layer: nn.Module | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The contexts for k and v, bent by each network in turn."""
    context_k = context_v = context
    for network in hypernetworks:
        context_k, context_v = apply_single_hypernetwork(network, context_k, context_v, layer)
    return context_k, context_v


def attention_CrossAttention_forward(  # noqa: N802 - the WebUI's name
    self: Any, x: torch.Tensor, context: torch.Tensor | None = None, mask: torch.Tensor | None = None, **kwargs: Any
) -> torch.Tensor:
    """`ldm`'s attention without optimizations, with hypernetworks; x [batch, tokens, width]."""
    context_k, context_v = apply_hypernetworks(shared.loaded_hypernetworks, _default(context, x), self)
    q, k, v = (
        t.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        for t in (self.to_q(x), self.to_k(context_k), self.to_v(context_v))
    )
    scores = torch.einsum("bhid,bhjd->bhij", q, k) * self.scale
    if mask is not None:
        allowed = mask.flatten(1)[:, None, None, :]
        scores = scores.masked_fill(~allowed, -torch.finfo(scores.dtype).max)
    out = torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v)
    return self.to_out(out.transpose(1, 2).flatten(2))
