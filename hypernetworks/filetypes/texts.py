"""Texts in place of a network: pointers to a file, descriptions, settings, compositions."""

from __future__ import annotations

import codecs
import re

from ..base.outside import UnfitTextError, parse_json
from . import pages
from .kind import Kind

_FIND = "look for the network where you got this file"
_ITSELF = "open its page in the browser, and download the file itself"
_BESIDE = "put it beside its network, under the same name"
_LEADS = "put in the file that it leads to"

#: Signs of other than text; the escape of JIS and the form feed occur in texts.
_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_SHORTEST = 32
#: By what they begin with.
_TEXTS: tuple[tuple[str, Kind], ...] = (
    (
        r"version https://(?:git-lfs|hawser)\.",
        Kind("the pointer of Git LFS to a file", "run git lfs pull, or download the file itself"),
    ),
    (r"#? ?xet version", Kind("the pointer of Xet to a file", "download the file itself")),
    (r"(?:\.\./)*\.?/?(?:\.git/)?annex/objects/", Kind("the pointer of git-annex to a file", "run git annex get")),
    (r"\[InternetShortcut\]|\[Desktop Entry\]", Kind("a shortcut", _LEADS)),
    (r"(?:https?://|magnet:\?)\S+\Z", Kind("an address of the web", _ITSELF)),
    (
        r"(?:<\?xml.{0,2000}?)?<svg\b",
        Kind("a drawing (SVG)", "download the network itself; a picture is often shown beside it"),
    ),
    (
        r"(?:<\?xml[^>]*>\s*)?<error\b",
        Kind("the answer of a website", "its address is wrong, or it was taken away; look for it on its page"),
    ),
)
#: By names that a table in JSON has.
_TABLES: tuple[tuple[frozenset[str], Kind], ...] = (
    (frozenset({"_class_name"}), Kind("the settings of a diffusers model", _FIND)),
    (frozenset({"_diffusers_version"}), Kind("the settings of a diffusers model", _FIND)),
    (frozenset({"weight_map"}), Kind("the table of contents of a model in several files", _FIND)),
    (frozenset({"architectures"}), Kind("the settings of a transformers model", _FIND)),
    (frozenset({"peft_type"}), Kind("the settings of a LoRA", "use the file adapter_model beside it as a LoRA")),
    (frozenset({"last_node_id"}), Kind("a ComfyUI workflow", "open it in ComfyUI")),
    (frozenset({"nodes", "links"}), Kind("a ComfyUI workflow", "open it in ComfyUI")),
    (frozenset({"modelVersions"}), Kind("a description by Civitai", _BESIDE)),
    (frozenset({"baseModel"}), Kind("a description by Civitai", _BESIDE)),
    (frozenset({"activation text"}), Kind("a description by the WebUI", _BESIDE)),
    (frozenset({"preferred weight"}), Kind("a description by the WebUI", _BESIDE)),
)
_NAMED = Kind("a composition of hypernetworks", "use it by its name in prompts, or merge it into one network")
_NAMELESS = Kind("a composition of hypernetworks", "let its name end in .hns")
_TEXT = Kind("a text", _FIND)
#: Texts without a mark of another kind.
MERE = (_NAMED, _NAMELESS, _TEXT)
_COMPOSITION = re.compile(r"[\[{(].{0,20}?[\"'].*[\]})]", re.DOTALL)


def kind_of(head: bytes, size: int, is_composition: bool) -> Kind | None:
    """Return the kind of a text that begins with `head`; None where it is none.

    Args:
        size: bytes of the whole file.
        is_composition: whether the name of the file says so.
    """
    text = _decoded(head, size)
    found = pages.kind_of(head)
    if found is not None or text is None:
        return found
    begins = (kind for pattern, kind in _TEXTS if re.match(pattern, text, re.DOTALL | re.IGNORECASE))
    found = next(begins, None) or pages.kind_of_answer(text) or (_of_json(text) if size <= len(head) else None)
    if found is not None:
        return found
    if is_composition:
        return _NAMED
    return _NAMELESS if _COMPOSITION.fullmatch(text) else _TEXT


def _decoded(head: bytes, size: int) -> str | None:
    """Return the text that `head` begins, in whatever encoding; None for what is none."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace").strip()
    if _BINARY.search(head):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head, size <= len(head)).strip()
    except UnicodeDecodeError:
        return head.decode("latin-1").strip() if len(head) >= _SHORTEST else None


def _of_json(text: str) -> Kind | None:
    """Return the kind of a table in JSON; None for other texts, and for what may be a composition."""
    try:
        table = parse_json(text)
    except UnfitTextError:
        return None
    if not isinstance(table, dict) or all(isinstance(value, (int, float)) for value in table.values()):
        return None
    if any(isinstance(value, dict) and "class_type" in value for value in table.values()):
        return Kind("a ComfyUI workflow", "open it in ComfyUI")
    known = next((kind for names, kind in _TABLES if names <= set(table)), None)
    return known or pages.kind_of_table(table) or Kind("a JSON text", _FIND)
