"""Captions: where the text of a picture comes from."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import DatasetError, SettingsError
from ..base.outside import UnfitTextError, is_file, parse_json, read_text, reason_of, shown, shown_path

#: Ten times what people write; longer ones would be cut into text for the encoder for minutes.
MAX_CAPTION_BYTES = 40_000
MAX_METADATA_BYTES = 64 << 20
_MAX_PATH = 4096
_MAX_WEIGHT = 1e6
_REGEX_S = 1.0
#: Where a caption may come from.
METADATA, FILE, CLASS, NAME = "metadata", "caption file", "class tokens", "the words of its file name"
_LEADING_NUMBER = re.compile(r"^[-\d]+[\s_-]*")
_PICTURE = re.compile(r"\.(png|jpe?g|webp|bmp|gif|tiff?|avif)$", re.IGNORECASE)


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
            path = _PICTURE.sub("", key.replace("\\", "/"))
            for end in _ends([part for part in path.split("/") if part not in ("", ".")]):
                if end in self:
                    shared.add(end)
                self[end] = entry
        for end in shared:
            del self[end]

    def of(self, picture: Path) -> Mapping[str, Any] | None:
        """Return the entry of the picture, if there is one."""
        ends = _ends([*picture.parts[:-1], picture.stem]) if self else ()
        return next((self[end] for end in ends if end in self), None)


@dataclass(frozen=True)
class CaptionSource:
    """Where captions are looked for: metadata first, then a file beside the picture, then the file's own name.

    Attributes:
        extensions: of the caption files beside the pictures; the first one found counts.
        name_regex, name_join: as in the WebUI's settings: selects parts of the file name, and joins them; without a
            regex the words of the name count.
        class_tokens: caption of pictures that have none, instead of their name.
        metadata: entries by picture, as `read_metadata` gives them.
        keeps_lines: whether the lines of a text stay lines, one of which is drawn each time.
    """

    extensions: tuple[str, ...] = (".txt", ".caption")
    name_regex: str = ""
    name_join: str = " "
    class_tokens: str = ""
    metadata: CaptionMetadata = field(default_factory=CaptionMetadata)
    keeps_lines: bool = False


class CaptionOrigin(NamedTuple):
    """Where the caption of a picture comes from.

    Attributes:
        kind: `METADATA`, `FILE`, `CLASS` or `NAME`.
        path: the caption file beside the picture, or the one to make where there is none.
    """

    kind: str
    path: Path


def caption_origin(picture: Path, source: CaptionSource | None = None) -> CaptionOrigin:
    """Return where the caption of `picture` comes from, and the file that holds it or would."""
    source = source or CaptionSource()
    files = [picture.with_suffix(extension) for extension in source.extensions or (".txt",)]
    found = next((path for path in files if is_file(path)), None)
    if source.metadata.of(picture) is not None:
        return CaptionOrigin(METADATA, found or files[0])
    if found is not None and source.extensions:
        return CaptionOrigin(FILE, found)
    return CaptionOrigin(CLASS if source.class_tokens else NAME, files[0])


def read_caption(picture: Path, source: CaptionSource | None = None) -> str:
    """Return the caption of `picture`.

    Raises:
        DatasetError: the text file cannot be read as UTF-8.
    """
    source = source or CaptionSource()
    origin = caption_origin(picture, source)
    if origin.kind == METADATA:
        return _of_entry(source.metadata.of(picture) or {}, source.keeps_lines)
    if origin.kind == FILE:
        return in_lines(_read_text(origin.path), source.keeps_lines)
    return source.class_tokens or _of_name(picture.stem, source)


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
        raise SettingsError(setting, f"{path.name} must hold a table with an entry for each picture")
    for key, entry in found.items():
        texts: list[Any] = [entry.get("caption", ""), entry.get("tags", "")] if isinstance(entry, dict) else [None]
        if not all(isinstance(text, str) for text in texts):
            raise SettingsError(setting, f"{path.name} must hold a table of the texts caption and tags for {key!r}")
        if sum(len(text or "") for text in texts) > MAX_CAPTION_BYTES or len(key) > _MAX_PATH:
            raise SettingsError(setting, f"{path.name} has a text of more than {MAX_CAPTION_BYTES:,} characters")
    return CaptionMetadata(found)


def metadata_weight(picture: Path, source: CaptionSource) -> float:
    """Return the weight that the metadata gives the picture in the loss; 1 where it gives none.

    Raises:
        DatasetError: it is no number above 0.
    """
    weight = (source.metadata.of(picture) or {}).get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight <= _MAX_WEIGHT:
        raise DatasetError(f"{picture.name}: its weight in the metadata must be a number above 0, not {shown(weight)}")
    return float(weight)


def _of_entry(entry: Mapping[str, Any], keeps_lines: bool) -> str:
    caption, tags = in_lines(entry.get("caption", ""), keeps_lines), in_lines(entry.get("tags", ""), False)
    lines = [", ".join(part for part in (line, tags) if part) for line in caption.split("\n")]
    return "\n".join(lines)


def _ends(parts: Sequence[str]) -> Iterator[str]:
    """Yield the ends of a path, the longest first."""
    return ("/".join(parts[start:]) for start in range(len(parts)))


def _read_text(path: Path) -> str:
    try:
        return read_text(path, MAX_CAPTION_BYTES)
    except (OSError, UnfitTextError) as error:
        raise DatasetError(f"{path.name}: the caption cannot be read as UTF-8 text ({reason_of(error)})") from error


def in_lines(text: str, keeps_lines: bool) -> str:
    """Return the text with single blanks, in one line unless its lines are to stay."""
    if not keeps_lines:
        return " ".join(text.split())
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def _of_name(stem: str, source: CaptionSource) -> str:
    name = _LEADING_NUMBER.sub("", stem)
    if not source.name_regex:
        return name.replace("_", " ").strip()
    # If the regex has groups, only what they match counts, as in the WebUI.
    found = (match.groups() or (match[0],) for match in _matches(source.name_regex, name))
    return source.name_join.join(part for parts in found for part in parts if part).strip()


def _matches(pattern: str, name: str) -> list[Any]:
    """Return the matches; raises SettingsError for a regex that tries so many ways that it would not end."""
    try:
        # Not `re`, which holds up the whole process for as long as it takes; transformers brings it along.
        module: Any = importlib.import_module("regex")
    except ImportError:
        return list(re.finditer(pattern, name))
    try:
        return list(module.finditer(pattern, name, timeout=_REGEX_S, concurrent=True))
    except TimeoutError as error:
        raise SettingsError("data.filename_regex", f"takes too long on {name}; write it more simply") from error
    except (module.error, RecursionError) as error:
        raise SettingsError("data.filename_regex", f"is no regular expression: {error}") from error


def extensions(text: str) -> tuple[str, ...]:
    """Return a text such as `.txt, caption` as (".txt", ".caption")."""
    return tuple("." + part.strip().lstrip(".") for part in text.split(",") if part.strip(" ."))
