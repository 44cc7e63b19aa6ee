"""Settings of a new network as a file: our TOML, the network of a job file, and the original extension's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import SettingsError
from ..base.options import convert, take
from ..network.settings import SMALL_WEIGHTS, CreateSettings, ShapeSettings, with_first_weights
from ..network.structure import default_dropout
from ..texts import foreign
from ..train.settings.job_file import table_text
from .create_entry import depending_on, problems
from .settings_text import is_json, parse, save_new

_SHAPE = ShapeSettings().to_mapping()
_KINDS = {name: (kind, option) for name, kind, option in CreateSettings.options()}
_ORIGINAL = {
    "save_file_name": "name",
    "enable_sizes": "widths",
    "layer_structure": "layer_structure",
    "activation_func": "activation",
    "weight_init": "weight_init",
    "add_layer_norm": "layer_norm",
    "dropout_structure": "dropout_structure",
    "optional_info": "optional_info",
    "weight_init_seed": "seed",
    "normal_std": "init_std",
    "skip_connection": "skip_connection",
    "upsample_linear": "upsample_linear",
}
"""Keys of the original's file, each with ours."""

_ORIGINAL_ALIASES = {"hardswish": "swish"}
_NOT_LOADED = {"overwrite", "overwrite_old"}
"""A file must not tick the box that lets another file be replaced."""

_OWN = tuple(name for name in _KINDS if name not in _SHAPE and name not in _NOT_LOADED)
"""What a settings file holds besides the shape."""


@dataclass
class LoadedSettings:
    """The content of a settings file.

    Attributes:
        values: plain values for fields of `CreateSettings`; a field that is missing stays as it is.
        errors: what could not be used, each naming its field.
    """

    values: dict[str, Any] = field(default_factory=dict)
    errors: list[SettingsError] = field(default_factory=list)


def settings_text(settings: CreateSettings, is_named: bool = True) -> str:
    """Return the settings as TOML: the shape as `[network]`, which a job file takes too, and the rest as `[create]`.

    Args:
        is_named: whether the name of the network is included.
    """
    values = settings.to_mapping()
    shape = table_text("network", {name: values[name] for name in _SHAPE})
    own = {name: values[name] for name in _OWN if is_named or name != "name"}
    return f"{shape}\n{table_text('create', own)}"


def save(settings: CreateSettings, folder: Path, is_named: bool = True) -> Path:
    """Write the settings to a new file in `folder`, named after the network, and return its path.

    Raises:
        HypernetworkFileError: the folder or the disk refuses it.
    """
    return save_new(settings_text(settings, is_named), folder, settings.name)


def read(content: bytes, file_name: str) -> LoadedSettings:
    """Read a settings file; a `.json` is the original extension's, anything else TOML.

    What a file of ours does not say stays as it is; the original's has its default for the shape. Values that cannot be
    used are left out, each with one error.

    Raises:
        SettingsError: the file is no settings file at all; names it.
    """
    tables = parse(content, file_name)
    other = None if tables.keys() & {"network", "create"} else foreign.instead_of_job(tables)
    if other and other.form != foreign.ORIGINAL and not tables.keys() & _ORIGINAL.keys():
        raise SettingsError(file_name, other.sentence)
    return _checked(*(_from_json if is_json(file_name) else _from_toml)(tables, file_name))


def _from_toml(tables: dict[str, Any], file_name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values by our names, and the keys that are unknown."""
    network, create = tables.get("network"), tables.get("create", {})
    if not isinstance(network, dict) or not isinstance(create, dict):
        raise SettingsError(file_name, "has no table [network], so there is nothing to load")
    # The network that a job continues is a file, not a shape; an empty name means none.
    known = {**_SHAPE, "file": ""}
    unknown = [key for key in network if key not in known] + [key for key in create if key not in _OWN]
    values = with_first_weights({key: network[key] for key in _SHAPE if key in network})
    values.update({key: create[key] for key in _OWN if key in create})
    return values, unknown


def _from_json(entries: dict[str, Any], file_name: str) -> tuple[dict[str, Any], list[str]]:
    """Return what `_from_toml` does, from the original extension's `*_hypernetwork_.json`."""
    known = {*_ORIGINAL, *_NOT_LOADED, "use_dropout"}
    if not known & entries.keys():
        raise SettingsError(file_name, "has none of the settings of a hypernetwork, so there is nothing to load")
    given = {ours: entries[key] for key, ours in _ORIGINAL.items() if entries.get(key) not in (None, "")}
    values: dict[str, Any] = {**_SHAPE, "activation": "linear", **SMALL_WEIGHTS, **given}
    if isinstance(values["activation"], str):
        name = values["activation"].lower()
        values["activation"] = _ORIGINAL_ALIASES.get(name, name)
    values["dropout_structure"] = _original_dropout(entries, values)
    return values, [key for key in entries if key not in known]


def _original_dropout(entries: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Return the dropout that the original means: with `use_dropout` that of the file or its default, else none."""
    try:
        if not convert("use_dropout", entries.get("use_dropout", False) or False, bool):
            return ()
        if entries.get("dropout_structure"):
            return entries["dropout_structure"]
        layers = convert("layer_structure", values["layer_structure"], tuple[float, ...])
    except SettingsError:
        # A wrong layer structure is reported under its own name, and dropout is left out with it.
        return entries.get("dropout_structure") or ()
    return default_dropout(layers, True, False)


def _checked(values: dict[str, Any], unknown: list[str]) -> LoadedSettings:
    errors = [SettingsError(key, "there is no such setting; it was left out") for key in unknown]
    complete = {"name": "network", **values}
    wrong = problems(complete)
    refused = {one for error in wrong for one in (error.field, *depending_on(error.field))}
    kept = {name: _plain(name, value) for name, value in values.items() if name not in refused}
    return LoadedSettings(kept, [*errors, *(error.reworded("{}; left as it was".format) for error in wrong)])


def _plain(name: str, value: Any) -> Any:
    kind, option = _KINDS[name]
    converted = take(name, value, kind, option)
    return list(converted) if isinstance(converted, tuple) else converted
