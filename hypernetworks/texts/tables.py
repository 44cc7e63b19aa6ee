"""Tables of settings in a text: TOML, or JSON where it is that."""

from __future__ import annotations

import re
from typing import Any

from ..base import numbers
from ..base.outside import UnfitTextError, parse_json, unique_keys
from .toml import parse_toml

JSON, TOML = "JSON", "TOML"
_TOML_START = re.compile(r"#|\[\s*[A-Za-z]|[\w.]+\s*=")
#: How texts begin that are no settings, with what they are.
_DOCUMENTS = {
    "{\\rtf": "is a document of a word processor; save it as plain text",
    "<": "is a web page or another document, and holds no settings",
}


def language(text: str, file_name: str) -> str:
    """Return the language of a text with settings, by its first sign and else by the name of its file."""
    start = text.lstrip()
    is_named_json = file_name.lower().endswith(".json")
    return JSON if start.startswith("{") or (is_named_json and not _TOML_START.match(start)) else TOML


def parse_body(text: str) -> Any:
    """Return the value of a JSON text, no key of which is there twice; its numbers keep the text that was typed.

    Raises:
        UnfitTextError: it is none; the message is the reason.
    """
    return parse_json(text, object_pairs_hook=unique_keys, parse_float=numbers.Typed)


def parse_tables(text: str, file_name: str) -> dict[str, Any]:
    """Return the tables of a text with settings.

    Raises:
        UnfitTextError: it is neither TOML nor JSON, or no table; the message is a sentence without its subject.
    """
    if document := next((words for start, words in _DOCUMENTS.items() if text.lstrip().startswith(start)), ""):
        raise UnfitTextError(document)
    if file_name.lower().endswith((".yaml", ".yml")):
        raise UnfitTextError("is YAML; write it as TOML, with [sections] and key = value, or as JSON")
    kind = language(text, file_name)
    try:
        found = parse_body(text) if kind == JSON else parse_toml(text)
    except UnfitTextError as error:
        raise UnfitTextError(f"is no {kind}: {error}") from error
    if not isinstance(found, dict):
        raise UnfitTextError("has no settings in it")
    return found
