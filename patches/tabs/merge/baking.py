"""The handlers for baking a network into a checkpoint, in the tab Merge Hypernetworks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from modules import paths, sd_models, shared

from ....hypernetworks.base.errors import (
    ErrorCollector,
    HypernetworkFileError,
    MergeError,
    SettingsError,
    WorkbenchError,
)
from ....hypernetworks.merge.baking import (
    BakeSettings,
    CheckpointError,
    CheckpointFile,
    attention_layers,
    bake,
    changed_layers,
    target,
)
from ....hypernetworks.merge.outlines import outline
from ....hypernetworks.network.sizes import readable_bytes
from ....hypernetworks.pages.sentences import done, note
from ...patching.error_reports import report_unexpected
from ..inspect import work
from .preview import PreviewHandlers
from .work import file_problem

_EMPTY = "Choose a network and a checkpoint; then this shows how many attention layers change."


class BakeHandlers(PreviewHandlers):
    """Functions for the events of baking; the form has the fields of `BakeSettings`."""

    def look(self, *entered: Any) -> list[Any]:
        """Show what would change, or at a field why it cannot."""
        values = self.form.values(entered)
        if not values["network"] or not values["checkpoint"]:
            return self.show(note(_EMPTY))
        try:
            sentence = _plan(values["network"], _checkpoint(values["checkpoint"]))
        except SettingsError as error:
            return self.show(note(_EMPTY), {error.field: error.reason})
        return self.show(note(sentence))

    def bake(self, *entered: Any) -> tuple[str, Any]:
        """Write the new checkpoint; return the outcome and the list of checkpoints."""
        values = self.form.values(entered)
        try:
            sentence = _bake(values)
        except WorkbenchError as error:
            return self.form.explain(error), gr.update()
        return done(sentence), gr.update(choices=checkpoints())


def refreshed() -> list[Any]:
    """Return the lists of networks and checkpoints; that of networks is as the host read it last."""
    return [gr.update(choices=work.names()), gr.update(choices=checkpoints())]


def checkpoints() -> list[str]:
    """Return the host's checkpoints."""
    return [str(title) for title in sd_models.checkpoint_tiles()]


@report_unexpected()
def _bake(values: Mapping[str, Any]) -> str:
    checks = ErrorCollector()
    with checks:
        settings = BakeSettings.from_mapping(values)
    with checks:
        work.network_path(values["network"], "network")
    with checks:
        source = _checkpoint(values["checkpoint"])
    checks.raise_all()
    _plan(settings.network, source)
    path = target(_folder(source), source, settings)
    layers = bake(work.network_path(settings.network, "network"), source, path, settings)
    sd_models.list_models()
    size = readable_bytes(path.stat().st_size)
    return (
        f"Wrote {path.name} ({size}) into {path.parent}, with {layers} attention layers changed; "
        f"choose it as the checkpoint, and leave {settings.network} out of the prompt."
    )


def _plan(name: str, source: Path) -> str:
    """Return what would change in one sentence; raises SettingsError for the network or the checkpoint."""
    try:
        network = outline(work.network_path(name, "network"), name)
        with CheckpointFile(source) as checkpoint:
            shapes = checkpoint.shapes
        if not attention_layers(shapes):
            raise SettingsError("checkpoint", f"{source.name} has no attention layers under the names of SD1 and SD2")
        changed = changed_layers(network, shapes)
    except CheckpointError as error:
        raise SettingsError("checkpoint", str(error)) from error
    except HypernetworkFileError as error:
        raise SettingsError("network", file_problem(error)) from error
    except MergeError as error:
        raise SettingsError("network", str(error)) from error
    every = len(attention_layers(shapes))
    size = readable_bytes(source.stat().st_size)
    return (
        f"{len(changed)} of {every} attention layers change; the new file has {size}, like the old one. "
        "Weights keep the checkpoint's number type, so the network is rounded to it."
    )


def _checkpoint(title: str) -> Path:
    """Return the file of a checkpoint. Only checkpoints in the host's list are allowed.

    Raises:
        SettingsError: there is no such checkpoint.
    """
    if not title:
        raise SettingsError("checkpoint", "choose a checkpoint")
    info = sd_models.checkpoints_list.get(title)
    if info is None:
        # The title contains the hash of the file once the host knows it.
        bare = title.partition(" [")[0]
        info = next((one for one in sd_models.checkpoints_list.values() if one.name == bare), None)
    if info is None:
        raise SettingsError("checkpoint", f"there is no checkpoint {title}; press Refresh list")
    return Path(info.filename)


def _folder(source: Path) -> Path:
    """Return the folder of the new checkpoint: that of its source, if the host looks there, else the host's."""
    folder = Path(paths.models_path) / "Stable-diffusion"
    own = getattr(shared.cmd_opts, "ckpt_dir", None)
    looked_at = [folder, *([Path(own)] if own else [])]
    is_listed = any(source.resolve().is_relative_to(place.resolve()) for place in looked_at)
    return source.parent if is_listed else folder
