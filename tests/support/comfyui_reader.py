"""A reader of `.pt` files by the rules of ComfyUI's node, on its own: it shares no code with the project."""

from pathlib import Path

import torch
from torch import nn

ACTIVATIONS = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softsign": nn.Softsign,
    "mish": nn.Mish,
}


class ReaderError(Exception):
    """ComfyUI would not open this file."""


class Network:
    """The networks of a file, ready to transform an attention input; dropout stays as it was built, switched on."""

    def __init__(self, layers: dict[int, tuple[nn.Sequential, nn.Sequential]]) -> None:
        self.layers = layers

    def transform(self, x: torch.Tensor, strength: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs of to_k and to_v for `x` [batch, tokens, width]."""
        if x.shape[-1] not in self.layers:
            return x, x
        with torch.no_grad():
            k, v = (x + module(x) * strength for module in self.layers[x.shape[-1]])
        return k, v


def _holder(kind, weights, name):
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    module = nn.Linear(weight.shape[1], weight.shape[0]) if kind is nn.Linear else nn.LayerNorm(weight.shape[0])
    module.load_state_dict({"weight": weight, "bias": bias})
    return module


def _sequence(weights, state):
    activation = ACTIVATIONS[state.get("activation_func", "linear")]
    layer_norm, use_dropout = state.get("is_layer_norm", False), state.get("use_dropout", False)
    activate_output, last_dropout = state.get("activate_output", False), state.get("last_layer_dropout", False)
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    modules = []
    index = 0
    while index < len(names):
        # Both are told from the place of the linear layer among all names, LayerNorms included.
        last, second_last = index == len(names) - 1, index == len(names) - 2
        modules.append(_holder(nn.Linear, weights, names[index]))
        if activation is not nn.Identity and (not last or activate_output):
            modules.append(activation())
        if layer_norm:
            index += 1
            modules.append(_holder(nn.LayerNorm, weights, names[index]))
        if use_dropout and not last and (not second_last or last_dropout):
            modules.append(nn.Dropout(0.3))
        index += 1
    return nn.Sequential(*modules)


def read(path) -> Network:
    """Read a file; raises ReaderError where ComfyUI refuses it."""
    state = torch.load(Path(path), map_location="cpu", weights_only=True)
    if state.get("activation_func", "linear") not in ACTIVATIONS:
        raise ReaderError(f"unsupported activation {state['activation_func']}")
    layers = {}
    for key in state:
        try:
            width = int(key)
        except (TypeError, ValueError):
            continue
        if width not in state:
            raise ReaderError(f"no width {width}")
        layers[width] = (_sequence(state[width][0], state), _sequence(state[width][1], state))
    return Network(layers)
