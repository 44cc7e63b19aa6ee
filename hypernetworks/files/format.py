"""The hypernetwork format: what the keys of a file mean, in both directions."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from ..base.errors import HypernetworkFileError, SettingsError
from ..base.forms import STEPS, Number, UnfitError
from ..network.hypernetwork import Hypernetwork, HypernetworkModule, Metadata
from ..network.layers import WEIGHT_INITS
from ..network.structure import Structure, default_dropout
from .pickle_names import TensorRef

MAX_WIDTHS = 64
KNOWN_KEYS = frozenset(
    {"step", "name", "layer_structure", "activation_func", "is_layer_norm", "weight_initialization", "sd_checkpoint"}
    | {"sd_checkpoint_name", "activate_output", "use_dropout", "dropout_structure", "last_layer_dropout"}
    | {"optional_info", "skip_connection", "upsample_linear", "weight_init_std", "zero_last_layer", "training"}
)
_OLD_NAMES = {"linear1.weight": "linear.0.weight", "linear1.bias": "linear.0.bias"}
_OLD_NAMES |= {"linear2.weight": "linear.1.weight", "linear2.bias": "linear.1.bias"}
_LINEAR_UPSAMPLING = "Linear"

State = dict[str, torch.Tensor]


@dataclasses.dataclass
class Document:
    """A file's content, interpreted but not yet a network: its tensors may still have any shape."""

    structure: Structure
    pairs: dict[int, tuple[State, State]]
    metadata: Metadata

    def tensors(self) -> list[torch.Tensor]:
        """Return all weights."""
        return [tensor for pair in self.pairs.values() for state in pair for tensor in state.values()]

    def network(self) -> Hypernetwork:
        """Build the network in float32; raises HypernetworkFileError where the weights do not fit or are not finite."""
        seen: set[int] = set()
        pairs = {}
        for width, states in self.pairs.items():
            with torch.device("meta"):
                wanted = HypernetworkModule(width, self.structure).state_dict()
            for side, state in zip(("k", "v"), states, strict=True):
                _check_names(f"{width}.{side}", state, wanted)
            first, second = (
                {name: _weights(f"{width}.{side}.{name}", state[name], seen) for name in wanted}
                for side, state in zip(("k", "v"), states, strict=True)
            )
            pairs[width] = (first, second)
        return Hypernetwork.from_tensors(self.structure, pairs, self.metadata)

    def check_shared(self) -> None:
        """Refuse many tensors over the same few bytes, which would take far more memory than the file."""
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in self.tensors()}
        if sum(tensor.numel() for tensor in self.tensors()) * torch.float32.itemsize > 3 * sum(storages.values()):
            raise HypernetworkFileError("its tensors share the same data")


def check_widths(state: Any) -> None:
    """Raise HypernetworkFileError for the content of a file that is no hypernetwork; its tensors do not matter."""
    if isinstance(state, (torch.Tensor, TensorRef)):
        reason = (
            "it holds a Tensor in place of a hypernetwork; an aesthetic gradient belongs to the extension of that name"
        )
        raise HypernetworkFileError(reason)
    if not isinstance(state, Mapping):
        raise HypernetworkFileError(f"it holds a {type(state).__name__} in place of a hypernetwork")
    if not any(_width(key, value) is not None for key, value in state.items()):
        raise HypernetworkFileError("it has no attention width, so that it is not a hypernetwork")


def from_state(state: Any, name: str) -> Document:
    """Read the content of a `.pt` file; `name` stands in where the file has none.

    Raises:
        HypernetworkFileError: not a hypernetwork, or a key with a value it cannot have.
    """
    check_widths(state)
    pairs: dict[int, tuple[State, State]] = {}
    metadata: dict[Any, Any] = {}
    for key, value in state.items():
        width = _width(key, value)
        if width is None:
            metadata[key] = value
        elif width in pairs:
            raise HypernetworkFileError(f"it has the width {width} twice")
        else:
            pairs[width] = _pair(width, value)
    if len(pairs) > MAX_WIDTHS:
        raise HypernetworkFileError(f"it has more than {MAX_WIDTHS} attention widths")
    try:
        structure = read_structure(metadata)
        structure.check_widths(tuple(pairs))
    except SettingsError as reason:
        raise HypernetworkFileError(str(reason)) from reason
    document = Document(structure, pairs, read_metadata(metadata, name))
    document.check_shared()
    return document


def read_structure(state: Mapping[Any, Any]) -> Structure:
    """Return the structure that a file's keys describe, with the format's defaults.

    Raises:
        SettingsError, HypernetworkFileError: a key with a value it cannot have.
    """
    layers: Any = state.get("layer_structure")
    if layers is None:
        layers = (1, 2, 1)
    residual = _flag(state, "skip_connection", False)
    dropout: Any = state.get("dropout_structure")
    if dropout is None and isinstance(layers, (list, tuple)):
        dropout = default_dropout(layers, _flag(state, "use_dropout", False), _flag(state, "last_layer_dropout", False))
    elif isinstance(dropout, (list, tuple)) and len(dropout) > 1:
        # Some files lack the values at both ends, on which the numbering of keys does not depend.
        dropout = (0, *dropout[1:-1], dropout[-1] if residual else 0)
    activation = state.get("activation_func")
    if activation is None or (isinstance(activation, str) and not activation):
        activation = "linear"
    weight_init = state.get("weight_initialization")
    if not isinstance(weight_init, str) or weight_init not in WEIGHT_INITS:
        # Existing weights need no initialisation; an unknown kind is no reason to refuse the file.
        weight_init = "Normal"
    return Structure(
        layer_structure=layers,
        activation="swish" if isinstance(activation, str) and activation == "hardswish" else activation,
        weight_init=weight_init,
        init_std=state.get("weight_init_std", 0.01),
        layer_norm=_flag(state, "is_layer_norm", False),
        activate_output=_flag(state, "activate_output", True),
        dropout_structure=() if dropout is None else dropout,
        skip_connection=residual,
        upsample_linear=residual and state.get("upsample_linear") == _LINEAR_UPSAMPLING,
        zero_last_layer=_flag(state, "zero_last_layer", False),
    )


def read_metadata(state: Mapping[Any, Any], name: str) -> Metadata:
    """Return step, names and the rest of a file's keys; raises HypernetworkFileError for a value of a wrong type."""
    training = state.get("training")
    known = KNOWN_KEYS if isinstance(training, dict) else KNOWN_KEYS - {"training"}
    return Metadata(
        name=_text(state, "name") or name,
        step=_step(state.get("step")),
        sd_checkpoint=_text(state, "sd_checkpoint"),
        sd_checkpoint_name=_text(state, "sd_checkpoint_name"),
        optional_info=_text(state, "optional_info"),
        training=dict(training) if isinstance(training, dict) else {},
        extra={key: value for key, value in state.items() if key not in known},
    )


def metadata_state(structure: Structure, metadata: Metadata) -> dict[Any, Any]:
    """Return the keys of a file other than the widths: plain numbers, every flag explicit."""
    return {
        **metadata.extra,
        "step": int(metadata.step),
        "name": metadata.name,
        "layer_structure": list(structure.layer_structure),
        "activation_func": structure.activation,
        "is_layer_norm": structure.layer_norm,
        "weight_initialization": structure.weight_init,
        "sd_checkpoint": metadata.sd_checkpoint,
        "sd_checkpoint_name": metadata.sd_checkpoint_name,
        "activate_output": structure.activate_output,
        "use_dropout": structure.use_dropout,
        "dropout_structure": list(structure.dropout_structure),
        "last_layer_dropout": structure.last_layer_dropout,
        "optional_info": metadata.optional_info or None,
        "skip_connection": structure.skip_connection,
        "upsample_linear": _LINEAR_UPSAMPLING if structure.upsample_linear else None,
        "weight_init_std": structure.init_std,
        "zero_last_layer": structure.zero_last_layer,
        **({"training": dict(metadata.training)} if metadata.training else {}),
    }


def weights_state(network: Hypernetwork, dtype: torch.dtype | None) -> dict[int, tuple[State, State]]:
    """Return the weights by width as files hold them; raises HypernetworkFileError where one is not finite."""
    pairs = {}
    for width in network.widths:
        first, second = (
            {name: _written(f"{width}.{side}.{name}", tensor, dtype) for name, tensor in module.state_dict().items()}
            for side, module in zip(("k", "v"), network.pair(width), strict=True)
        )
        pairs[width] = (first, second)
    return pairs


def is_finite(tensor: torch.Tensor) -> bool:
    """Tell whether every value is a finite number."""
    # A finite sum proves it at a fraction of the cost; a sum that is not finite may only have overflowed.
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def _written(place: str, tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    converted = tensor.detach().to(device="cpu", dtype=dtype or tensor.dtype)
    if not is_finite(converted):
        reason = "is not finite" if not is_finite(tensor) else f"does not fit into {converted.dtype}"
        raise HypernetworkFileError(f"the weight {place} {reason}, so that nothing was written")
    return converted


def _width(key: Any, value: Any) -> int | None:
    """Return the attention width that a key means, or None; some tools write it as text."""
    if type(key) is int:
        return key
    if isinstance(key, str) and key.isascii() and key.isdigit() and isinstance(value, (tuple, list)):
        return int(key[:20])
    return None


def _pair(width: int, value: Any) -> tuple[State, State]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:  # noqa: PLR2004 - k and v
        raise HypernetworkFileError(f"width {width} is not a pair of networks")
    return _state(f"{width}.k", value[0]), _state(f"{width}.v", value[1])


def _state(place: str, value: Any) -> State:
    if not isinstance(value, dict):
        raise HypernetworkFileError(f"{place} is not a set of weights")
    state = {}
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            raise HypernetworkFileError(f"{place} holds {str(name)[:60]!r}, which is no weight")
        state[_OLD_NAMES.get(name, name)] = tensor
    return state


def _check_names(place: str, state: State, wanted: Mapping[str, torch.Tensor]) -> None:
    missing = [name for name in wanted if name not in state]
    if missing:
        raise HypernetworkFileError(f"{place} lacks {missing[0]}, which its layer_structure and flags ask for")
    unexpected = [name for name in state if name not in wanted]
    if unexpected:
        raise HypernetworkFileError(f"{place} has {unexpected[0][:60]!r}, which its layer_structure and flags do not")
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            shapes = f"has the shape {list(state[name].shape)} in place of {list(tensor.shape)}"
            raise HypernetworkFileError(f"{place}.{name} {shapes}")


def _weights(place: str, tensor: torch.Tensor, seen: set[int]) -> torch.Tensor:
    """Return a float32 tensor with memory of its own, without a copy where it has that already."""
    if not is_finite(tensor):
        raise HypernetworkFileError(f"the weight {place} is not finite")
    source = tensor.untyped_storage().data_ptr()
    converted = tensor.to(torch.float32).contiguous()
    if not is_finite(converted):
        raise HypernetworkFileError(f"the weight {place} is too large")
    if converted.untyped_storage().data_ptr() == source and source in seen:
        converted = converted.clone()
    seen.add(source)
    return converted


def _flag(state: Mapping[Any, Any], key: str, default: bool) -> bool:
    value = state.get(key, default)
    if value is None:
        return False
    if isinstance(value, (bool, int)):
        return bool(value)
    raise HypernetworkFileError(f"{key} is a {type(value).__name__} in place of true or false")


def _text(state: Mapping[Any, Any], key: str) -> str | None:
    value = state.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return str(value)
    raise HypernetworkFileError(f"{key} is a {type(value).__name__} in place of text")


def _step(value: Any) -> int:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if value is None:
        return 0
    try:
        return int(Number(0, STEPS.maximum).take(value))
    except UnfitError as reason:
        raise HypernetworkFileError("step is not a number of steps") from reason
