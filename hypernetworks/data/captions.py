"""Captions: where the text of a picture comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DatasetError, SettingsError

_LEADING_NUMBER = re.compile(r"^[-\d]+[\s_-]*")


@dataclass(frozen=True)
class CaptionSource:
    """Where captions are looked for: metadata first, then a file beside the picture, then the file's own name.

    Attributes:
        extensions: of the files beside the pictures, the first one found counts.
        name_regex, name_join: as the WebUI's settings: the parts of the file name that match, and what joins them;
            without a regex the words of the name.
        class_tokens: caption of pictures that have none, in place of their name.
        metadata: entries by file name without its extension, as `read_metadata` gives them.
    """

    extensions: tuple[str, ...] = (".txt", ".caption")
    name_regex: str = ""
    name_join: str = " "
    class_tokens: str = ""
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_caption(picture: Path, source: CaptionSource | None = None) -> str:
    """The caption of `picture`.

    Raises:
        DatasetError: the text file cannot be read as UTF-8.
    """
    source = source or CaptionSource()
    entry = source.metadata.get(picture.stem)
    if entry is not None:
        return _of_entry(entry)
    for extension in source.extensions:
        beside = picture.with_suffix(extension)
        if beside.is_file():
            return _read_text(beside)
    return source.class_tokens or _of_name(picture.stem, source)


def read_metadata(path: Path, setting: str) -> dict[str, dict[str, Any]]:
    """kohya's metadata: a JSON table of `caption`, `tags` and, ours, `weight` for each picture.

    Its keys are paths with or without an extension; the name alone counts.

    Args:
        setting: that names the file, for sentences about it.

    Raises:
        SettingsError: the file cannot be read, or has no such form.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(setting, f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(setting, f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise SettingsError(setting, f"{path.name} must hold a table with an entry for each picture")
    for key, entry in found.items():
        texts = [entry.get("caption", ""), entry.get("tags", "")] if isinstance(entry, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise SettingsError(setting, f"{path.name} must hold a table of the texts caption and tags for {key!r}")
    return {_stem(key): entry for key, entry in found.items()}


def metadata_weight(picture: Path, source: CaptionSource) -> float:
    """The weight that the metadata gives the picture in the loss; 1 where it gives none.

    Raises:
        DatasetError: it is no number above 0.
    """
    weight = source.metadata.get(picture.stem, {}).get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
        raise DatasetError(f"{picture.name}: its weight in the metadata must be a number above 0, not {weight!r}")
    return float(weight)


def _of_entry(entry: Mapping[str, Any]) -> str:
    return ", ".join(part.strip() for part in (entry.get("caption", ""), entry.get("tags", "")) if part.strip())


def _stem(key: str) -> str:
    """File name of a path of either system, without the extension where it is that of a picture."""
    name = key.replace("\\", "/").rsplit("/", 1)[-1]
    return re.sub(r"\.(png|jpe?g|webp|bmp|gif|tiff?|avif)$", "", name, flags=re.IGNORECASE)


def _read_text(path: Path) -> str:
    try:
        return " ".join(path.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path.name}: the caption cannot be read as UTF-8 text ({error})") from error


def _of_name(stem: str, source: CaptionSource) -> str:
    name = _LEADING_NUMBER.sub("", stem)
    if source.name_regex:
        return source.name_join.join(re.findall(source.name_regex, name)).strip()
    return name.replace("_", " ").strip()
