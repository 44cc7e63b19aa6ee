"""The file that a merge makes: name, form and dtype."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .. import files
from ..base.atomic import sweep
from ..base.disk import link_in_the_way
from ..base.errors import SettingsError
from ..base.locks import held
from ..base.names import check_name
from ..base.options import Settings, setting
from ..base.registry import rule
from ..network.file_forms import DTYPES, FORMS
from ..network.hypernetwork import Hypernetwork


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
        choices=tuple(FORMS),
    )
    dtype: str = setting("float32", "Weights as", "The 16-bit types halve the file.", choices=tuple(DTYPES))

    @rule("name")
    def _name_fits(self) -> None:
        check_name(self.name)

    def target(self, folder: Path) -> Path:
        """Return the path of the file in `folder`.

        Raises:
            SettingsError: a file of the name exists and may not be replaced; names the field.
        """
        return free_path(folder, self.name + FORMS[self.form].suffix, self.overwrite)


def as_read_back(network: Hypernetwork, settings: ResultSettings) -> Hypernetwork:
    """Return the network as it would be read from the file of these settings; raises what `save` does."""
    with TemporaryDirectory() as folder:
        path = settings.target(Path(folder))
        save(network, path, settings)
        return files.load(path)


def free_path(folder: Path, file_name: str, overwrite: bool) -> Path:
    """Return the path of a new file; raises SettingsError for `name` where it exists and may not be replaced."""
    path = folder / file_name
    if link := link_in_the_way(path):
        raise SettingsError("name", link)
    if path.exists() and not overwrite:
        raise SettingsError("name", f"the file {file_name} exists already; choose another name, or set overwrite")
    return path


def save(network: Hypernetwork, path: Path, settings: ResultSettings) -> None:
    """Write the network to `path` under the name of the settings.

    Raises:
        SettingsError: somebody else writes the file or has made it meanwhile; names `name`.
        HypernetworkFileError: the network cannot have this form or dtype, or the disk refuses the file.
    """
    # Programs that know loaded networks by the name inside the file would confuse it with another one.
    network.metadata = dataclasses.replace(network.metadata, name=settings.name)
    with writing(path, settings):
        files.save(network, path, FORMS[settings.form].is_portable, DTYPES[settings.dtype])


@contextmanager
def writing(path: Path, settings: ResultSettings) -> Iterator[None]:
    """Keep others from the name `path`, in a folder that is made, while the block writes it.

    Raises:
        SettingsError: somebody else writes it or has made it meanwhile; names `name`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with held(path, f"{settings.name} is being merged", partial(SettingsError, "name")):
        free_path(path.parent, path.name, settings.overwrite)
        sweep(path.parent)
        yield


def with_hashes(recipe: Mapping[str, Any], hashes: Sequence[str]) -> dict[str, Any]:
    """Return a recipe of `merge` with the short hash of each network's file, in the order of its networks."""
    pairs = zip(recipe["networks"], hashes, strict=True)
    return {**recipe, "networks": [{**network, "hash": file_hash} for network, file_hash in pairs]}
