"""Bakes a network's file into a checkpoint's file."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from ... import files
from ...base.atomic import write_bytes
from ...base.errors import SettingsError
from ...base.names import check_name
from ...base.options import Settings, setting
from ...base.registry import rule
from ..inputs import MAX_WEIGHT
from ..saving import free_path
from .checkpoint_file import CheckpointError, CheckpointFile
from .layers import Baking, attention_layers, changed_layers

__all__ = ["BakeSettings", "CheckpointError", "CheckpointFile", "attention_layers", "bake", "changed_layers", "target"]

SUFFIX = ".safetensors"
_RECIPE = "hypernetwork_bake"


@dataclass(frozen=True)
class BakeSettings(Settings):
    """Which network is baked into which checkpoint, and the name of the result."""

    network: str = setting("", "Network to bake", "A network without activation, LayerNorm and residual blocks.")
    strength: float = setting(1.0, "Strength", "The same as at generation.", minimum=-MAX_WEIGHT, maximum=MAX_WEIGHT)
    checkpoint: str = setting("", "Checkpoint", "A .safetensors file; it stays as it is.", starts_row=True)
    name: str = setting(
        "", "Name of the new checkpoint", "File name without the ending; no existing file is replaced.", starts_row=True
    )

    @rule("strength")
    def _changes_something(self) -> None:
        if self.strength == 0:
            raise SettingsError("strength", "must not be 0, which would change nothing")

    @rule("name")
    def _name_fits(self) -> None:
        if not self.name:
            raise SettingsError("name", "give the new checkpoint a name")
        check_name(self.name)


def target(folder: Path, source: Path, settings: BakeSettings) -> Path:
    """Return the path of the new checkpoint; raise SettingsError for `name` where it, or its config, exists already."""
    path = _free(folder, settings.name + SUFFIX)
    if source.with_suffix(".yaml").exists():
        _free(folder, f"{settings.name}.yaml")
    return path


def bake(network_path: Path, source: Path, path: Path, settings: BakeSettings) -> int:
    """Write the checkpoint `source` with the network in it to `path`, whole or not at all, with its config if any.

    The recipe, with the hash of the network's file, goes into the metadata.

    Returns:
        The number of attention layers that the network changed.

    Raises:
        CheckpointError: the checkpoint is no `.safetensors` file or broken, or the disk refuses the new one.
        MergeError: the network cannot be baked into this checkpoint, with the reason.
        HypernetworkFileError: the network's file is broken, or the disk refuses the config.
    """
    network = files.load(network_path)
    recipe = {
        "network": settings.network,
        "hash": files.short_hash(network_path),
        "strength": settings.strength,
        "checkpoint": source.name,
    }
    with CheckpointFile(source) as checkpoint:
        baking = Baking(checkpoint, checkpoint.shapes, network, settings.strength)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as undo:
            config = source.with_suffix(".yaml")
            if config.exists():
                # Without it a host would guess the kind of the new checkpoint from its name and shapes.
                write_bytes(path.with_suffix(".yaml"), config.read_bytes())
                undo.callback(path.with_suffix(".yaml").unlink, missing_ok=True)
            checkpoint.write_changed(path, baking, {_RECIPE: json.dumps(recipe, ensure_ascii=False)})
            undo.pop_all()
    return len(baking.layers)


def _free(folder: Path, file_name: str) -> Path:
    try:
        return free_path(folder, file_name, overwrite=False)
    except SettingsError as error:
        raise SettingsError("name", f"the file {file_name} exists already; choose another name") from error
