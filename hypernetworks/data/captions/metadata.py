"""kohya's metadata of pictures: captions, tags and weights in one JSON file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...base.errors import DatasetError, SettingsError
from ...base.outside import UnfitTextError, parse_json, read_text, shown, shown_name, shown_path
from .text import MAX_BYTES

MAX_METADATA_BYTES = 64 << 20
_MAX_PATH = 4096
_MOST_PARTS = 32
_MAX_WEIGHT = 1e6
#: What a key may have behind the name of a picture whose file has another ending, or none, by now.
_PICTURE = re.compile(r"\.(a?png|jfif|jpe?g?|jp2|webp|bmp|dib|gif|tiff?|tga|psd|avif|hei[cf]|hif|jxl)$", re.IGNORECASE)


class CaptionMetadata(dict[str, Mapping[str, Any]]):
    """Metadata of pictures: entries by every end of their paths that no other entry shares.

    Attributes:
        entries: by their paths as the file has them.
    """

    entries: Mapping[str, Mapping[str, Any]]

    def __init__(self, entries: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        super().__init__()
        self.entries = entries or {}
        shared = set()
        for key, entry in self.entries.items():
            path = key.replace("\\", "/")
            for name in dict.fromkeys((path, _PICTURE.sub("", path))):
                for end in _ends([part for part in name.split("/") if part not in ("", ".")]):
                    if self.setdefault(end, entry) is not entry:
                        shared.add(end)
        for end in shared:
            del self[end]

    def of(self, picture: Path) -> Mapping[str, Any] | None:
        """Return the entry of the picture, if there is one."""
        if not self:
            return None
        ends = (end for name in (picture.name, picture.stem) for end in _ends([*picture.parts[:-1], name]))
        return next((self[end] for end in ends if end in self), None)


def read_metadata(path: Path, setting: str) -> CaptionMetadata:
    """Read kohya's metadata: a JSON table of `caption`, `tags` and, ours, `weight` for each picture.

    Its keys are paths with or without an extension. An entry is found by the end of the path that it shares with a
    picture's: by the name alone, and by folder and name where two entries have the same name.

    Args:
        setting: the setting that names the file, for errors.

    Raises:
        SettingsError: the file cannot be read, or has another form.
    """
    try:
        found = parse_json(read_text(path, MAX_METADATA_BYTES))
    except OSError as error:
        raise SettingsError(setting, f"{shown_path(path)} cannot be read: {error.strerror}") from error
    except UnfitTextError as error:
        raise SettingsError(setting, f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise SettingsError(setting, f"{shown_name(path)} must hold a table with an entry for each picture")
    for key, entry in found.items():
        texts: list[Any] = [entry.get("caption", ""), entry.get("tags", "")] if isinstance(entry, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise SettingsError(
                setting, f"{shown_name(path)} must hold a table of the texts caption and tags for {key!r}"
            )
        if sum(len(text or "") for text in texts) > MAX_BYTES or len(key) > _MAX_PATH:
            raise SettingsError(setting, f"{shown_name(path)} has a text of more than {MAX_BYTES:,} characters")
    return CaptionMetadata(found)


def metadata_weight(picture: Path, metadata: CaptionMetadata) -> float:
    """Return the weight that the metadata gives the picture in the loss; 1 where it gives none.

    Raises:
        DatasetError: it is no number above 0.
    """
    weight = (metadata.of(picture) or {}).get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight <= _MAX_WEIGHT:
        raise DatasetError(
            f"{shown_name(picture)}: its weight in the metadata must be a number above 0, not {shown(weight)}"
        )
    return float(weight)


def _ends(parts: Sequence[str]) -> Iterator[str]:
    """Yield the ends of a path, the longest first; real ones have no more folders than are looked at."""
    parts = parts[-_MOST_PARTS:]
    return ("/".join(parts[start:]) for start in range(len(parts)))
