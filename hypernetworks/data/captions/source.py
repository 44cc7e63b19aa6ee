"""Where the caption of a picture comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...base import numbers
from .beside import Neighbours
from .metadata import CaptionMetadata
from .names import words
from .rules import ALL_LINES, FIRST_LINE, TAG_LINES
from .text import read_file

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
    """

    extensions: tuple[str, ...] = (".txt", ".caption")
    name_regex: str = ""
    name_join: str = " "
    class_tokens: str = ""
    metadata: CaptionMetadata = field(default_factory=CaptionMetadata)


class CaptionOrigin(NamedTuple):
    """Where the caption of a picture comes from.

    Attributes:
        kind: `METADATA`, `FILE`, `CLASS` or `NAME`.
        path: the caption file beside the picture, or the one to make where there is none.
    """

    kind: str
    path: Path


class Caption(NamedTuple):
    """The caption of a picture.

    Attributes:
        text: its lines, each with single blanks; one line where they are read as one.
        line_count: how many lines with text there are where it comes from.
    """

    text: str
    origin: CaptionOrigin
    line_count: int = 1


def caption_origin(
    picture: Path, source: CaptionSource | None = None, neighbours: Neighbours | None = None
) -> CaptionOrigin:
    """Return where the caption of `picture` comes from, and the file that holds it or would.

    Args:
        neighbours: the files beside the pictures; where they are given, folders are listed once for all pictures.
    """
    source = source or CaptionSource()
    neighbours = neighbours or Neighbours(source.extensions)
    found = neighbours.captions(picture, source.extensions)
    path = found[0] if found else picture.with_name(picture.stem + (source.extensions or (".txt",))[0])
    if source.metadata.of(picture) is not None:
        return CaptionOrigin(METADATA, path)
    if found:
        return CaptionOrigin(FILE, path)
    return CaptionOrigin(CLASS if source.class_tokens else NAME, path)


def find_caption(
    picture: Path, source: CaptionSource | None = None, lines: str = ALL_LINES, neighbours: Neighbours | None = None
) -> Caption:
    """Return the caption of `picture`.

    Args:
        lines: what several lines of a text are, one of `rules.LINES`.
        neighbours: as for `caption_origin`.

    Raises:
        DatasetError: the caption file cannot be read.
    """
    source = source or CaptionSource()
    origin = caption_origin(picture, source, neighbours)
    if origin.kind == METADATA:
        return _of_entry(source.metadata.of(picture) or {}, lines, origin)
    if origin.kind == FILE:
        found = _lines(read_file(origin.path))
        return Caption(_kept(found, lines), origin, len(found))
    return Caption(source.class_tokens or words(picture.stem, source.name_regex, source.name_join), origin)


def read_caption(picture: Path, source: CaptionSource | None = None, lines: str = ALL_LINES) -> str:
    """Return the text of `find_caption`."""
    return find_caption(picture, source, lines).text


def extensions(text: str) -> tuple[str, ...]:
    """Return a text such as `.txt, caption` as (".txt", ".caption"), without repetitions."""
    parts = (part.strip(" .") for part in re.split(r"[,;]", numbers.plain(text)))
    return tuple(dict.fromkeys(f".{part}" for part in parts if part))


def _of_entry(entry: Mapping[str, Any], lines: str, origin: CaptionOrigin) -> Caption:
    """Return the caption of an entry with its tags, which stand behind every line that is shown by itself."""
    found = _lines(entry.get("caption", ""))
    tags = " ".join(entry.get("tags", "").split())
    if lines == TAG_LINES:
        return Caption("\n".join([*found, *([tags] if tags else [])]), origin, len(found))
    captions = _kept(found, lines).split("\n")
    return Caption("\n".join(", ".join(filter(None, (one, tags))) for one in captions), origin, len(found))


def _lines(text: str) -> list[str]:
    """Return the lines that have text, with single blanks."""
    return [line for line in (" ".join(line.split()) for line in text.splitlines()) if line]


def _kept(found: list[str], lines: str) -> str:
    if lines == ALL_LINES:
        return " ".join(found)
    return "\n".join(found[:1] if lines == FIRST_LINE else found)
