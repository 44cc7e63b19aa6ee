"""Pictures of what is to be merged and of the result, made before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules import shared
from PIL import Image

from ....hypernetworks.base.errors import HypernetworkFileError, SettingsError
from ....hypernetworks.compose import Composition
from ....hypernetworks.compose.nodes import singles
from ....hypernetworks.inference.library import library
from ....hypernetworks.merge.settings import chosen_rows
from ....hypernetworks.network.hypernetwork import Hypernetwork
from ....hypernetworks.ports import PictureRequest
from ...model import host, previews
from ...model.loaded import Loaded, LoadedComposition, LoadedNetwork
from ...patching.error_reports import report_unexpected
from . import work

#: A caption, and what transforms the attention inputs for its picture; None for nothing.
Motif = tuple[str, Loaded | None]
_NOTHING: Motif = ("Without a network", None)
_LETTERS = "ABCD"


def of_merge(values: Mapping[str, Any]) -> tuple[list[Motif], work.Made]:
    """Return what shows a merge: nothing, each network at its weight, and the result; and the result itself.

    Args:
        values: the fields of `MergeSettings` and `ResultSettings`; the name has no effect.

    Raises:
        WorkbenchError: see `work.make`.
    """
    made = work.make(values)
    parts = [
        _one(f"{_LETTERS[row - 1]}: {values[work.FIELDS[row - 1]]}", network, weight)
        for row, network, weight in zip(chosen_rows(values), made.inputs.networks, made.inputs.weights, strict=True)
    ]
    return [_NOTHING, *parts, ("Merged", LoadedNetwork(made.network, "merged"))], made


def of_composition(composition: Composition) -> list[Motif]:
    """Return what shows a composition: nothing, each network in it at its strength, and the whole.

    Raises:
        SettingsError: a network cannot be read.
    """
    parts = dict.fromkeys(singles(composition.root))
    try:
        return [
            _NOTHING,
            *((_at(part.name, part.strength), _composed(Composition(part))) for part in parts),
            ("Composition", _composed(composition)),
        ]
    except HypernetworkFileError as error:
        raise SettingsError("text", work.file_problem(error)) from error


@report_unexpected()
def make(motifs: Sequence[Motif], request: PictureRequest) -> list[tuple[Image.Image, str]]:
    """Return a picture of each motif with its caption, all of the same request; only whole ones after an interrupt.

    Raises:
        SettingsError: the host has no such sampler.
        TrainingError: no checkpoint is loaded.
    """
    host.require_checkpoint()
    progress, made = host.HostProgress(), []
    for number, (caption, loaded) in enumerate(motifs):
        progress.report(number, len(motifs), f"Picture {number + 1} of {len(motifs)}: {caption}")
        pictures = previews.pictures_with([request], loaded)
        if not pictures or _is_cut():
            break
        made.append((pictures[0], caption))
    return made


def _is_cut() -> bool:
    """Tell whether the host may have stopped in the middle of a picture."""
    return bool(shared.state.interrupted or getattr(shared.state, "skipped", False))


def _one(name: str, network: Hypernetwork, strength: float) -> Motif:
    loaded = LoadedNetwork(network, name)
    loaded.set_multiplier(strength)
    return _at(name, strength), loaded


def _at(name: str, strength: float) -> str:
    return f"{name}, strength {strength:g}"


def _composed(composition: Composition) -> LoadedComposition:
    text = composition.as_hns()
    return LoadedComposition(*library.from_text(text, shared.hypernetworks), text)
