"""The nodes: networks for a model, a composition for a model, and what is in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...hypernetworks import report
from ...hypernetworks.base.errors import SettingsError
from ...hypernetworks.base.stamps import Stamp, stamp
from ...hypernetworks.compose.bound import Chain, Step
from ...hypernetworks.files.listing import find, is_composition, is_network
from ...hypernetworks.inference.library import Library
from ...hypernetworks.network.hypernetwork import Hypernetwork
from ..chains import chain_of
from . import attention, program

ROWS = 4
NONE = "None"
_CATEGORY = "hypernetworks"
#: Networks that no model has any more, kept for the next run.
_KEPT = 4
_MODEL = ("MODEL", {"tooltip": "The model of a checkpoint: SD1, SD2 or SDXL. It stays as it is."})
_CHANGED = ("The model with the networks, for a sampler or for another of these nodes.",)


def _strength(of: str) -> tuple[str, dict[str, Any]]:
    numbers = {"default": 1.0, "min": -10.0, "max": 10.0, "step": 0.05, "round": 0.001}
    return "FLOAT", {**numbers, "tooltip": f"How much {of} adds: 0 nothing, 1 all of it; less than 0 the opposite."}


_library = Library()

#: The text that one sees in an empty field, and what the field says of itself.
_EXAMPLE = "night:0.7 + ink:0.3 > line"
_LANGUAGE = "Names of files: + mixes with weights (night:0.7 + ink:0.3), > applies the next one to what comes out."


class LoadHypernetworks:
    """Gives a model up to four networks, each of which sees what the one before it made. Nodes in a row add more."""

    CATEGORY = _CATEGORY
    DESCRIPTION = __doc__
    RETURN_TYPES = ("MODEL",)
    OUTPUT_TOOLTIPS = _CHANGED
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 (ComfyUI's name)
        """Return the fields: as many rows of a network and its strength as ROWS says."""
        names = [NONE, *(name for name, path in program.listed().items() if is_network(path))]
        rows: dict[str, Any] = {}
        for row in range(1, ROWS + 1):
            place = "a file of models/hypernetworks" if row == 1 else "one that sees what those above it made"
            options = {"default": NONE, "tooltip": f"A network: {place}. None: nothing in this row."}
            rows |= {f"network_{row}": (names, options), f"strength_{row}": _strength("this network")}
        return {"required": {"model": _MODEL, **rows}}

    @classmethod
    def IS_CHANGED(cls, **fields: Any) -> Any:  # noqa: N802 (ComfyUI's name)
        """Return what differs once a chosen file has changed."""
        listed = program.listed()
        return [(name, stamp(find(listed, name) or "")) for _, name, _ in _rows(fields)]

    def apply(self, model: Any, **fields: Any) -> tuple[Any]:
        """Return a clone of the model with the networks.

        Raises:
            WorkbenchError: a file is not there or cannot be read, or does not suit the model; one sentence.
        """
        listed = program.listed()
        rows = [(_library.network(_path(listed, field, name)), strength) for field, name, strength in _rows(fields)]
        step, used = chain_of(rows, 1.0, None) if rows else (Chain(()), [])
        return (_applied(model, step, used),)


class HypernetworkComposition:
    """Gives a model a composition: as text, such as night:0.7 + ink:0.3 > line, or a .hns file of the folder."""

    CATEGORY = _CATEGORY
    DESCRIPTION = __doc__
    RETURN_TYPES = ("MODEL",)
    OUTPUT_TOOLTIPS = _CHANGED
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 (ComfyUI's name)
        """Return the fields."""
        files = [NONE, *(name for name, path in program.listed().items() if is_composition(path))]
        fields = {
            "model": _MODEL,
            "text": ("STRING", {"multiline": True, "default": "", "placeholder": _EXAMPLE, "tooltip": _LANGUAGE}),
            "file": (files, {"default": NONE, "tooltip": "A .hns file of models/hypernetworks, in place of the text."}),
            "strength": _strength("the composition"),
        }
        return {"required": fields}

    @classmethod
    def IS_CHANGED(cls, **_fields: Any) -> list[tuple[str, Stamp | None]]:  # noqa: N802 (ComfyUI's name)
        """Return what differs once a file of the folder has changed: any may be named in a composition."""
        return [(name, stamp(path)) for name, path in program.listed().items()]

    def apply(self, model: Any, text: str, file: str, strength: float) -> tuple[Any]:
        """Return a clone of the model with the composition.

        Raises:
            SettingsError: neither a text nor a file, or both.
            WorkbenchError: a wrong text, an unknown name, or a network that does not suit the model; one sentence.
        """
        listed = program.listed()
        if bool(text.strip()) == (file != NONE):
            what = "both are given; empty one of them" if text.strip() else "write a composition, or choose a file"
            raise SettingsError("text and file", what)
        if text.strip():
            composition, networks = _library.from_text(text, listed)
        else:
            composition, networks = _library.composition(_path(listed, "file", file), listed)
        return (_applied(model, *chain_of(composition, strength, networks)),)


class InspectHypernetwork:
    """Tells what is in a file: layers, training, and which programs can read it."""

    CATEGORY = _CATEGORY
    DESCRIPTION = __doc__
    RETURN_TYPES = ("STRING",)
    FUNCTION = "inspect"
    OUTPUT_TOOLTIPS = ("The text, which the node shows as well.",)
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 (ComfyUI's name)
        """Return the field."""
        names = [name for name, path in program.listed().items() if is_network(path)]
        return {"required": {"network": (names, {"tooltip": "A file of models/hypernetworks."})}}

    @classmethod
    def IS_CHANGED(cls, network: str) -> Stamp | None:  # noqa: N802 (ComfyUI's name)
        """Return what differs once the file has changed."""
        return stamp(find(program.listed(), network) or "")

    def inspect(self, network: str) -> dict[str, Any]:
        """Return the text, for the page and for the next node; raises HypernetworkFileError for no network."""
        text = "\n".join(report.describe(_path(program.listed(), "network", network)).lines())
        return {"ui": {"text": [text]}, "result": (text,)}


NODE_CLASS_MAPPINGS = {
    "HypernetworkWorkbenchLoad": LoadHypernetworks,
    "HypernetworkWorkbenchComposition": HypernetworkComposition,
    "HypernetworkWorkbenchInspect": InspectHypernetwork,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "HypernetworkWorkbenchLoad": "Load Hypernetworks",
    "HypernetworkWorkbenchComposition": "Hypernetwork Composition",
    "HypernetworkWorkbenchInspect": "Inspect Hypernetwork",
}


def _rows(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yield field, name and strength of each row that has a network."""
    for row in range(1, ROWS + 1):
        name = fields.get(f"network_{row}", NONE)
        if name != NONE:
            yield f"network_{row}", name, fields[f"strength_{row}"]


def _path(listed: Mapping[str, str], field: str, name: str) -> str:
    path = find(listed, name)
    if path is None:
        raise SettingsError(field, f"{name} is not in ComfyUI's folder of hypernetworks any more")
    return path


def _applied(model: Any, step: Step, networks: list[Hypernetwork]) -> Any:
    changed = attention.apply(model, step, networks)
    _library.tidy([*program.in_use(), *networks], _KEPT)
    return changed
