"""Hypernetworks as the host itself reads and applies them: plain, without the extension's additions."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any

import torch
from hypernetwork_workbench.hypernetworks.base.disk import walk
from torch import nn

from modules import devices, shared

log = logging.getLogger("workbench.host")

ACTIVATIONS = {name.lower(): getattr(nn, name) for name in nn.modules.activation.__all__} | {"swish": nn.Hardswish}
OLD_NAMES = {"linear1": "linear.0", "linear2": "linear.1"}


class HypernetworkModule(nn.Module):
    """One small network for one width: x + strength * mlp(x), x [batch, tokens, width]."""

    def __init__(self, dim: int, weights: dict[str, Any], state: dict[str, Any]) -> None:
        super().__init__()
        self.multiplier = 1.0
        structure = state.get("layer_structure", [1, 2, 1])
        activation = state.get("activation_func")
        dropout = _dropout(state, len(structure))
        layers: list[nn.Module] = []
        for number, (fan_in, fan_out) in enumerate(itertools.pairwise(structure), 1):
            layers.append(nn.Linear(int(dim * fan_in), int(dim * fan_out)))
            is_last = number == len(structure) - 1
            if activation not in (None, "linear") and (not is_last or state.get("activate_output", True)):
                layers.append(ACTIVATIONS[activation]())
            if state.get("is_layer_norm", False):
                layers.append(nn.LayerNorm(int(dim * fan_out)))
            if dropout[number] > 0:
                layers.append(nn.Dropout(dropout[number]))
        self.linear = nn.Sequential(*layers)
        parts = ((key.partition("."), tensor) for key, tensor in weights.items())
        self.load_state_dict({f"{OLD_NAMES.get(first, first)}.{rest}": tensor for (first, _, rest), tensor in parts})
        self.to(devices.device).eval().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x plus what the network adds at its strength, [batch, tokens, width]."""
        return x + self.linear(x) * self.multiplier


def _dropout(state: dict[str, Any], layers: int) -> list[float]:
    """Return the dropout structure of a file, worked out from the two flags of older files where it is absent."""
    if state.get("dropout_structure"):
        return state["dropout_structure"]
    if not state.get("use_dropout", False):
        return [0.0] * layers
    return [0.0, *[0.3] * (layers - 3), 0.3 if state.get("last_layer_dropout", False) else 0.0, 0.0]


class Hypernetwork:
    """A pair of modules (for k and v) per attention width, in `layers`; made from a .pt file, nothing in it runs."""

    def __init__(self, filename: str) -> None:
        state = torch.load(filename, map_location="cpu", weights_only=True)
        self.name = state.get("name") or Path(filename).stem
        self.layers: dict[int, tuple[HypernetworkModule, HypernetworkModule]] = {}
        for width, (k, v) in ((key, value) for key, value in state.items() if type(key) is int):
            self.layers[width] = (HypernetworkModule(width, k, state), HypernetworkModule(width, v, state))

    def set_multiplier(self, multiplier: float) -> None:
        """Set the strength."""
        for pair in self.layers.values():
            for module in pair:
                module.multiplier = multiplier


def list_hypernetworks(path: str) -> dict[str, str]:
    """Return the path of every .pt file below a folder, by name."""
    folder = Path(path)
    found = [file for file in walk(folder).files if file.suffix == ".pt"] if folder.is_dir() else []
    return {file.stem: str(file) for file in sorted(found, key=lambda file: str(file).lower()) if file.stem != "None"}


def load_hypernetwork(name: str) -> Any:
    """Return the hypernetwork of a name; None, with the reason in the log, if it cannot be read."""
    path = shared.hypernetworks.get(name)
    if path is None:
        return None
    try:
        return Hypernetwork(path)
    except Exception:
        log.exception("Error loading hypernetwork %s", path)
        return None


def load_hypernetworks(names: list[str], multipliers: list[float] | None = None) -> None:
    """Put the named hypernetworks in use, each with its strength; keep those that are loaded already."""
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
    """Transform both contexts [batch, tokens, width] by one network; unchanged where it has nothing for the width."""
    pair = hypernetwork.layers.get(context_k.shape[2])
    return (context_k, context_v) if pair is None else (pair[0](context_k), pair[1](context_v))


def apply_hypernetworks(
    hypernetworks: list[Any], context: torch.Tensor, layer: nn.Module | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the contexts for k and v, transformed by each network in turn."""
    context_k = context_v = context
    for network in hypernetworks:
        context_k, context_v = apply_single_hypernetwork(network, context_k, context_v, layer)
    return context_k, context_v


def attention_inputs(layer: Any, x: torch.Tensor, context: torch.Tensor | None) -> list[torch.Tensor]:
    """Return q, k and v [batch, heads, tokens, width of a head] of an attention layer, with hypernetworks."""
    context = x if context is None else context
    context_k, context_v = apply_hypernetworks(shared.loaded_hypernetworks, context, layer)
    parts = (layer.to_q(x), layer.to_k(context_k), layer.to_v(context_v))
    return [part.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for part in parts]


def attention_CrossAttention_forward(  # noqa: N802 - the WebUI's name
    self: Any, x: torch.Tensor, context: torch.Tensor | None = None, mask: torch.Tensor | None = None, **kwargs: Any
) -> torch.Tensor:
    """Return `ldm`'s attention without optimizations, with hypernetworks; x [batch, tokens, width]."""
    q, k, v = attention_inputs(self, x, context)
    scores = torch.einsum("bhid,bhjd->bhij", q, k) * self.scale
    if mask is not None:
        allowed = mask.flatten(1)[:, None, None, :]
        scores = scores.masked_fill(~allowed, -torch.finfo(scores.dtype).max)
    out = torch.einsum("bhij,bhjd->bhid", scores.softmax(dim=-1), v)
    return self.to_out(out.transpose(1, 2).flatten(2))
