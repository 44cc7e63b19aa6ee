"""New networks, in memory and as files, and the one that a training job starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from .. import files
from ..base.atomic import sweep
from ..base.disk import link_in_the_way
from ..base.errors import HypernetworkFileError, SettingsError
from ..base.locks import held
from ..network.hypernetwork import Hypernetwork
from ..network.settings import CreateSettings, NetworkSettings, ShapeSettings
from ..network.sizes import check_size


def new_network(settings: ShapeSettings, model_widths: Sequence[int], seed: int) -> Hypernetwork:
    """Return an untrained network with the widths of the settings, or those of the model.

    Raises:
        SettingsError: no width is given or known, or the network would be too large; names the field.
    """
    widths = tuple(dict.fromkeys(settings.widths or model_widths))
    if not widths:
        raise SettingsError("widths", "no model is loaded that could give them; write them here")
    structure = settings.structure()
    check_size(structure, widths)
    return Hypernetwork.create(structure, widths, seed)


def starting_network(settings: NetworkSettings, model_widths: Sequence[int], seed: int) -> Hypernetwork:
    """Return the network that a training job starts from: that of its file, in float32, or a new one.

    Raises:
        SettingsError: the file cannot be read, a new network cannot be made, or none of its widths is one of the
            model's; names the field as `network.key`.
    """
    if settings.file:
        field = "network.file"
        try:
            network = files.load(Path(settings.file)).float()
        except HypernetworkFileError as error:
            raise SettingsError(field, str(error)) from error
    else:
        field = "network.widths"
        try:
            network = new_network(settings, model_widths, seed)
        except SettingsError as error:
            raise error.within("network") from error
    check_fits(network, model_widths, field)
    return network


def check_fits(network: Hypernetwork, model_widths: Sequence[int], field: str) -> None:
    """Check that a network has a width of the model; raises SettingsError for `field`."""
    if not set(network.widths) & set(model_widths):
        reason = f"its widths {network.widths} fit none of the model's attention layers {tuple(model_widths)}"
        raise SettingsError(field, reason)


def create_file(settings: CreateSettings, model_widths: Sequence[int], folder: Path) -> Path:
    """Make a network, save it as `NAME.pt` in `folder`, and return the path.

    Raises:
        SettingsError: the name is taken or a setting does not fit; names the field.
        HypernetworkFileError: the file cannot be written.
    """
    path = folder / f"{settings.name}.pt"
    _check_free(path, settings)
    network = new_network(settings, model_widths, settings.seed)
    network.metadata = replace(network.metadata, name=settings.name, optional_info=settings.optional_info or None)
    folder.mkdir(parents=True, exist_ok=True)
    with held(path, f"{settings.name} is being created", partial(SettingsError, "name")):
        _check_free(path, settings)  # once more, now that nobody else writes it
        sweep(folder)
        files.save(network, path)
    return path


def _check_free(path: Path, settings: CreateSettings) -> None:
    if link := link_in_the_way(path):
        raise SettingsError("name", link)
    if path.exists() and not settings.overwrite:
        raise SettingsError("name", f"{path.name} exists already; choose another name, or set overwrite")
