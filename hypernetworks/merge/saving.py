"""Name, form and dtype of the file that a merge makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import files
from ..base.errors import SettingsError
from ..base.names import check_name
from ..base.options import Settings, setting
from ..network.hypernetwork import Hypernetwork

#: The form as people read it, to the suffix of its files and whether it is the portable one.
_FORMS = {".pt": (".pt", False), ".pt for every reader": (".pt", True), ".safetensors": (".safetensors", False)}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class ResultSettings(Settings):
    """What to write, and under which name."""

    name: str = setting("", "Name of the result", "File name without the ending.")
    overwrite: bool = setting(False, "Replace an existing file", "Ticked, a file of this name is replaced.")
    form: str = setting(
        ".pt",
        "File form",
        "“For every reader” suits ComfyUI too; only this extension reads .safetensors.",
        starts_row=True,
        choices=tuple(_FORMS),
    )
    dtype: str = setting("float32", "Weights as", "The 16-bit types halve the file.", choices=tuple(_DTYPES))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.name)

    def target(self, folder: Path) -> Path:
        """Return the path of the file in `folder`.

        Raises:
            SettingsError: a file of the name exists and may not be replaced; names the field.
        """
        return free_path(folder, self.name + _FORMS[self.form][0], self.overwrite)


def free_path(folder: Path, file_name: str, overwrite: bool) -> Path:
    """Return the path of a new file; raises SettingsError for `name` where it exists and may not be replaced."""
    path = folder / file_name
    if path.exists() and not overwrite:
        raise SettingsError(
            "name", f"the file {file_name} exists already; choose another name, or tick “Replace an existing file”"
        )
    return path


def save(network: Hypernetwork, path: Path, settings: ResultSettings) -> None:
    """Write the network to `path` under the name of the settings.

    Raises:
        HypernetworkFileError: the network has no such form, does not fit into the dtype, or the disk refuses the file.
    """
    # Programs that keep loaded networks by the name inside the file would take it for another one.
    network.metadata = dataclasses.replace(network.metadata, name=settings.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.save(network, path, _FORMS[settings.form][1], _DTYPES[settings.dtype])


def with_hashes(recipe: Mapping[str, Any], hashes: Sequence[str]) -> dict[str, Any]:
    """Return a recipe of `merge` with the short hash of each network's file in it, in the order of its networks."""
    pairs = zip(recipe["networks"], hashes, strict=True)
    return {**recipe, "networks": [{**network, "hash": file_hash} for network, file_hash in pairs]}
