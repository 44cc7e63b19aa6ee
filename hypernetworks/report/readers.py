"""The programs that read a file right, and why others do not, from the file and the rules of each reader."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ..files import Content
from ..files.format import Document
from ..files.portable import reads_as_number
from ..network.activations import ACTIVATIONS
from ..network.hypernetwork import HypernetworkModule

_WEBUI_MEMBERS = re.compile(r"[^/]+/(data\.pkl|data/\d+|version)")

#: Width of SDXL's text, which no other model has.
_XL_WIDTH = 2048
#: What is to be known of a program that reads a file right.
_LIMITS = {
    "Forge": "reads it correctly with this extension, and ignores all hypernetworks without it; so does reForge",
    "SD.Next": "reads it correctly before its release of July 29, 2025, with the original backend; hypernetworks are "
    "gone since",
}


@dataclasses.dataclass(frozen=True)
class Reader:
    """Whether a program reads a file right, with the reason in one sentence."""

    reads: bool
    reason: str

    def __bool__(self) -> bool:
        return self.reads


def readers(content: Content, document: Document, problem: str | None) -> dict[str, Reader]:
    """Return for each known program whether it reads the file; `problem` is why it is no valid network, or None."""
    rules: dict[str, Callable[[Content, Document], str | None]] = {
        "WebUI": _webui,
        "Forge": lambda _content, _document: None,
        "ComfyUI": _comfyui,
        "SD.Next": _sdnext,
        "sdkit": _sdkit,
    }
    answers = {}
    for name, rule in rules.items():
        against = problem or rule(content, document)
        answers[name] = Reader(False, against) if against else Reader(True, _LIMITS.get(name, "reads it correctly"))
    return answers


def _common(content: Content, document: Document) -> str | None:
    if content.form == "safetensors":
        return "opens only .pt files"
    if any(type(width) is not int for width in _widths(content.state)):
        return "takes only numbers as widths, and this file has them as text"
    if document.structure.skip_connection:
        return "does not know residual blocks (skip_connection), an idea of the original extension"
    if not ACTIVATIONS[document.structure.activation].is_torchs:
        return f"does not know the activation {document.structure.activation}"
    return None


def _webui(content: Content, document: Document) -> str | None:
    against = _common(content, document)
    if against:
        return against
    for member in content.members:
        if not _WEBUI_MEMBERS.fullmatch(member):
            name = member.split("/", 1)[-1]
            return f"refuses the {name} that newer versions of torch put into a file; saving it again here removes it"
    if content.state.get("layer_structure", ()) is None:
        return "refuses a layer_structure of None"
    ends = content.state.get("dropout_structure") or [0]
    if ends[0] or ends[-1]:
        return "refuses a dropout_structure that does not start and end with 0"
    return None


def _sdnext(content: Content, document: Document) -> str | None:
    if _XL_WIDTH in document.pairs:
        return "runs SDXL through diffusers, where it has no hypernetworks"
    return _webui(content, document)


def _comfyui(content: Content, document: Document) -> str | None:
    structure, state = document.structure, content.state
    activation = state.get("activation_func", "linear")
    silent = structure.activation == "linear"
    is_known = activation in ACTIVATIONS and ACTIVATIONS[activation].is_common
    rules = (
        (not isinstance(activation, str), 'refuses an activation of None; it must be the word "linear"'),
        (not is_known, f"does not know the activation {activation}"),
        (bool(state.get("use_dropout")), "keeps dropout switched on while it makes pictures"),
        (
            not silent and "activate_output" not in state,
            "takes a missing activate_output for false, where the format means true",
        ),
        (
            structure.layer_norm and not silent and not structure.activate_output,
            "puts one activation too many into a network with LayerNorm but no activate_output",
        ),
        (
            not _in_layer_order(content, document),
            "takes the weights in the order of the file, which is not that of the layers",
        ),
        (any(reads_as_number(key) for key in document.metadata.extra), "takes an extra key for a width"),
    )
    return _common(content, document) or next((reason for wrong, reason in rules if wrong), None)


def _sdkit(content: Content, document: Document) -> str | None:
    if _XL_WIDTH in document.pairs:
        return "runs SDXL through diffusers, where it has no hypernetworks"
    against = _common(content, document)
    if against:
        return against
    if document.structure.use_dropout:
        return "keeps dropout switched on while it makes pictures"
    activation = document.structure.activation
    if ACTIVATIONS[activation].is_random:
        return f"keeps the random slopes of {activation} switched on while it makes pictures"
    return None


def _widths(state: Mapping[Any, Any]) -> list[Any]:
    return [
        key
        for key, value in state.items()
        if isinstance(value, (list, tuple)) and len(value) and isinstance(value[0], dict)
    ]


def _in_layer_order(content: Content, document: Document) -> bool:
    for width, pair in document.pairs.items():
        with torch.device("meta"):
            names = [name for name in HypernetworkModule(width, document.structure).state_dict() if "weight" in name]
        if any([name for name in state if name.endswith("weight")] != names for state in pair):
            return False
    return True
