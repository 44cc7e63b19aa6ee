"""Where the caption of a picture comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...base.outside import is_file
from .metadata import CaptionMetadata
from .names import words
from .text import in_lines, read_file

#: Where a caption may come from.
METADATA, FILE, CLASS, NAME = "metadata", "caption file", "class tokens", "the words of its file name"


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
        return in_lines(read_file(origin.path), source.keeps_lines)
    return source.class_tokens or words(picture.stem, source.name_regex, source.name_join)


def _of_entry(entry: Mapping[str, Any], keeps_lines: bool) -> str:
    caption, tags = in_lines(entry.get("caption", ""), keeps_lines), in_lines(entry.get("tags", ""), False)
    lines = [", ".join(part for part in (line, tags) if part) for line in caption.split("\n")]
    return "\n".join(lines)


def extensions(text: str) -> tuple[str, ...]:
    """Return a text such as `.txt, caption` as (".txt", ".caption")."""
    return tuple("." + part.strip().lstrip(".") for part in text.split(",") if part.strip(" ."))
