"""Tables of settings in a text: TOML, or JSON where it is that."""

from __future__ import annotations

from typing import Any

from .outside import UnfitTextError, parse_json, unique_keys
from .toml import parse_toml

JSON, TOML = "JSON", "TOML"


def language(text: str, file_name: str) -> str:
    """Return the language of a text with settings, by its first sign and else by the name of its file."""
    start = text.lstrip()[:1]
    return JSON if start == "{" or (start in ("[", "") and file_name.lower().endswith(".json")) else TOML


def parse_tables(text: str, file_name: str) -> dict[str, Any]:
    """Return the tables of a text with settings.

    Raises:
        UnfitTextError: it is neither TOML nor JSON, or no table; the message is a sentence without its subject.
    """
    kind = language(text, file_name)
    try:
        found = parse_json(text, object_pairs_hook=unique_keys) if kind == JSON else parse_toml(text)
    except UnfitTextError as error:
        raise UnfitTextError(f"is no {kind}: {error}") from error
    if not isinstance(found, dict):
        raise UnfitTextError("has no settings in it")
    return found
