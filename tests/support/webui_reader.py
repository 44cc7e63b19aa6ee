"""A reader of `.pt` files by the WebUI's rules, on its own: it shares no code with the project."""

import collections
import inspect
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

_MEMBER = re.compile(r"^([^/]+)/((data/\d+)|version|(data\.pkl))$")
_STORAGES = (
    "FloatStorage",
    "HalfStorage",
    "IntStorage",
    "LongStorage",
    "DoubleStorage",
    "ByteStorage",
    "BFloat16Storage",
)
_CLASSES = {
    name.lower(): kind
    for name, kind in inspect.getmembers(nn.modules.activation, inspect.isclass)
    if kind.__module__ == "torch.nn.modules.activation"
}
_CLASSES["swish"] = nn.Hardswish


class ReaderError(Exception):
    """The WebUI would not open this file."""


class _Checker(pickle.Unpickler):
    """Goes through the description and stops at any name that is not allowed."""

    def persistent_load(self, pid):
        return pid[2]

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2") or (module == "torch" and name in _STORAGES):
            return lambda *_: None
        raise ReaderError(f"global {module}.{name} is forbidden")


class Network:
    """The networks of a file, ready to transform an attention input."""

    def __init__(self, state: dict, stem: str) -> None:
        structure = state.get("layer_structure", [1, 2, 1])
        dropout = state.get("dropout_structure")
        if dropout is None:
            dropout = _old_dropout(structure, state.get("use_dropout", False), state.get("last_layer_dropout", False))
        self.name = state.get("name", stem)
        self.step = state.get("step", 0)
        flags = (
            state.get("activation_func"),
            state.get("is_layer_norm", False),
            state.get("activate_output", True),
        )
        self.layers = {
            key: tuple(_module(key, structure, dropout, flags, weights) for weights in value)
            for key, value in state.items()
            if type(key) is int
        }

    def transform(self, x: torch.Tensor, strength: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inputs of to_k and to_v for `x` [batch, tokens, width]."""
        if x.shape[2] not in self.layers:
            return x, x
        with torch.no_grad(), warnings.catch_warnings():
            # The format's softmax names no axis.
            warnings.filterwarnings("ignore", message="Implicit dimension choice")
            k, v = (x + module(x) * strength for module in self.layers[x.shape[2]])
        return k, v


def _old_dropout(structure, use_dropout, last_layer_dropout):
    if not use_dropout:
        return [0] * len(structure)
    return [0, *[0.3] * (len(structure) - 3), 0.3 if last_layer_dropout else 0, 0]


def _module(width, structure, dropout, flags, weights) -> nn.Module:
    activation, layer_norm, activate_output = flags
    if structure[0] != 1 or structure[-1] != 1 or dropout[0] != 0 or dropout[-1] != 0 or len(dropout) != len(structure):
        raise ReaderError("structure must start and end with 1, dropout with 0")
    modules: list[nn.Module] = []
    for i in range(len(structure) - 1):
        modules.append(nn.Linear(int(width * structure[i]), int(width * structure[i + 1])))
        if activation not in ("linear", None) and (i < len(structure) - 2 or activate_output):
            if activation not in _CLASSES:
                raise ReaderError(f"unsupported activation {activation}")
            modules.append(getattr(nn, _CLASSES[activation].__name__)())
        if layer_norm:
            modules.append(nn.LayerNorm(int(width * structure[i + 1])))
        if dropout[i + 1] > 0:
            modules.append(nn.Dropout(dropout[i + 1]))
    holder = nn.Module()
    holder.linear = nn.Sequential(*modules)
    old = {"linear1": "linear.0", "linear2": "linear.1"}
    renamed = {
        old[name.split(".")[0]] + "." + name.split(".")[1] if name.split(".")[0] in old else name: tensor
        for name, tensor in weights.items()
    }
    try:
        holder.load_state_dict(renamed)
    except RuntimeError as reason:
        raise ReaderError(str(reason)) from reason
    return holder.linear.eval()


def read(path) -> Network:
    """Read a file; raises ReaderError where the WebUI refuses it."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not _MEMBER.match(name):
                    raise ReaderError(f"bad file inside: {name}")
            (description,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            with archive.open(description) as file:
                _Checker(file).load()
    except zipfile.BadZipFile as reason:
        raise ReaderError("not a zip") from reason
    return Network(torch.load(path, map_location="cpu", weights_only=True), path.stem)
