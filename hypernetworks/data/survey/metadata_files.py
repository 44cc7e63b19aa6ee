"""kohya's metadata made from caption files, with the sizes of buckets, cleaned, and written back to caption files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...base.errors import DatasetError, SettingsError
from ...base.outside import is_file, is_folder, shown_name
from ...base.suggestions import no_folder
from ..captions import CaptionMetadata, Neighbours, extensions, read_file, read_metadata
from ..captions.metadata import MAX_METADATA_BYTES
from ..dataset import Sample
from ..pictures.finding import find_pictures
from .caption_edits import Change, bytes_of, change_of
from .tag_cleaning import CleaningSettings, cleaned

CAPTION, TAGS = "caption", "tags"
BOTH = "both"
SIZE = "train_resolution"
#: The endings that kohya's scripts look for.
ENDINGS = {CAPTION: ".caption", TAGS: ".txt"}
_OTHER = {CAPTION: "another caption", TAGS: "other tags"}


class Made(NamedTuple):
    """What is to be written, and sentences on what was found; nothing is written yet."""

    changes: tuple[Change, ...]
    said: tuple[str, ...]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a folder, to be matched with metadata.

    Attributes:
        is_full: whether new entries are called by whole paths; else by the path in the folder without its ending.
    """

    folder: Path
    paths: tuple[Path, ...]
    is_full: bool = False

    @classmethod
    def of(cls, folder: Path, is_deep: bool, is_full: bool = False) -> Pictures:
        """Find the pictures of a folder; raises SettingsError where there are none."""
        if not is_folder(folder):
            raise SettingsError("folder", no_folder(folder))
        try:
            paths = find_pictures(folder, is_deep).pictures
        except DatasetError as error:
            raise SettingsError("folder", str(error)) from error
        if not paths:
            raise SettingsError("folder", f"{folder} holds no picture")
        return cls(folder, paths, is_full)

    def keys(self) -> dict[Path, str]:
        """Return what new entries are called; a picture that shares its name with another one by its whole path."""
        counts = Counter(path.stem for path in self.paths)
        return {
            path: str(path.absolute())
            if self.is_full or counts[path.stem] > 1
            else path.relative_to(self.folder).with_suffix("").as_posix()
            for path in self.paths
        }


class Metadata:
    """Entries of metadata, found by picture, that can be changed."""

    def __init__(self, entries: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.entries = {key: dict(entry) for key, entry in (entries or {}).items()}

    @classmethod
    def read(cls, path: Path, field: str) -> Metadata:
        """Read a file; raises SettingsError, which names the field, where it is none of kohya's metadata."""
        return cls(read_metadata(path, field).entries)

    def matched(self, pictures: Pictures) -> dict[Path, str]:
        """Return the keys of the entries that there are, by picture.

        Raises:
            SettingsError: an entry fits several pictures, so that their captions would be mixed up.
        """
        names = {id(entry): key for key, entry in self.entries.items()}
        by_end = CaptionMetadata(self.entries)
        found: dict[Path, str] = {}
        owners: dict[str, Path] = {}
        for path in pictures.paths:
            entry = by_end.of(path.absolute())
            if entry is None:
                continue
            found[path] = key = names[id(entry)]
            if (other := owners.setdefault(key, path)) != path:
                raise SettingsError(
                    "in_json", f"{shown_name(key)} may be {other} or {path}; make the file with full paths"
                )
        return found

    def change(self, path: Path) -> list[Change]:
        """Return the change that writes this to a file; none where the file says it already.

        Raises:
            DatasetError: it would be too large to be read again.
        """
        text = json.dumps(self.entries, indent=2, ensure_ascii=False).encode("utf-8", "replace")
        if len(text) > MAX_METADATA_BYTES:
            raise DatasetError(f"{shown_name(path)}: more than {MAX_METADATA_BYTES >> 20} MB cannot be read again")
        before = bytes_of(path)
        return [] if before == text else [Change(path, before, text)]


def merged(pictures: Pictures, into: Metadata, kind: str, endings: str = "") -> tuple[str, ...]:
    """Put the texts of caption files into metadata; return sentences on what was done.

    A picture without a text gets no entry, and keeps one that it has.

    Args:
        kind: `CAPTION` or `TAGS`.
        endings: of the caption files, such as `.txt, .caption`; empty for kohya's own.

    Raises:
        SettingsError: no picture has a caption file with this ending.
        DatasetError: a caption file cannot be read; names it.
    """
    wanted = extensions(endings) or (ENDINGS[kind],)
    neighbours, known = Neighbours(wanted), into.matched(pictures)
    keys = pictures.keys()
    done = changed = 0
    for path in pictures.paths:
        files = neighbours.captions(path, wanted)
        text = read_file(files[0]).strip() if files else ""
        if not text:
            continue
        entry = into.entries.setdefault(known.get(path) or keys[path], {})
        changed += kind in entry and entry[kind] != text
        entry[kind] = text
        done += 1
    if not done:
        raise SettingsError("caption_extension", f"no picture has a text in a file {' or '.join(wanted)} beside it")
    said = [f"{done} of {len(pictures.paths)} pictures have a text in a file {' or '.join(wanted)}."]
    said += [f"{changed} entries had {_OTHER[kind]} before."] if changed else []
    return tuple(said)


def with_sizes(pictures: Pictures, into: Metadata, samples: Sequence[Sample]) -> tuple[str, ...]:
    """Put the size at which each picture is trained into its entry; return sentences on what was done.

    Args:
        samples: the pictures as a run would frame them.

    Raises:
        SettingsError: no picture has an entry.
    """
    known = into.matched(pictures)
    sizes: Counter[tuple[int, int]] = Counter()
    for sample in samples:
        if sample.path in known:
            size = (sample.frames[0].width_px, sample.frames[0].height_px)
            into.entries[known[sample.path]][SIZE] = list(size)
            sizes[size] += 1
    if not sizes:
        raise SettingsError("in_json", "no picture of the folder has an entry in it")
    said = [f"{width} x {height}: {count} pictures" for (width, height), count in sorted(sizes.items())]
    rest = len(pictures.paths) - sizes.total()
    return (*said, *([f"{rest} pictures have no entry, or cannot be used."] if rest else []))


def clean(metadata: Metadata, settings: CleaningSettings) -> tuple[str, ...]:
    """Clean all entries; return sentences on what was done."""
    removed: Counter[str] = Counter()
    labels = {name: option.label for name, _, option in settings.options()}
    changed = 0
    for key, entry in metadata.entries.items():
        new = cleaned(entry, settings, removed)
        changed += new != entry
        metadata.entries[key] = new
    said = [f"{changed} of {len(metadata.entries)} entries were changed."]
    said += [f"{labels[name]}: {count}" for name, count in removed.items() if count]
    empty = sum(not (entry.get(CAPTION) or entry.get(TAGS)) for entry in metadata.entries.values())
    return (*said, *([f"{empty} entries have neither a caption nor tags."] if empty else []))


def caption_files(pictures: Pictures, metadata: Metadata, kind: str, endings: str, is_replaced: bool) -> Made:
    """Return the changes that write captions, tags or both from metadata to the files beside the pictures.

    Args:
        kind: `CAPTION`, `TAGS` or `BOTH`, the caption before the tags as they are trained.
        endings: of the caption files; the first is that of new ones.
        is_replaced: whether files that have another text get this one; else they stay as they are.

    Raises:
        SettingsError: no picture has such a text.
        DatasetError: a caption file cannot be read; names it.
    """
    wanted = extensions(endings) or (ENDINGS.get(kind, ".txt"),)
    known, texts = metadata.matched(pictures), dict[Path, str]()
    neighbours = Neighbours(wanted)
    for path, key in known.items():
        text = _text(metadata.entries[key], kind)
        if text:
            found = neighbours.captions(path, wanted)
            texts[found[0] if found else path.with_suffix(wanted[0])] = text
    if not texts:
        raise SettingsError("in_json", "no picture of the folder has such a text in it")
    changes, kept = [], 0
    for file, text in texts.items():
        if is_file(file) and not is_replaced and read_file(file).strip():
            kept += read_file(file).strip() != text
            continue
        change = change_of(file, partial(_in_place, text), text)
        changes += [change] if change.before != change.after else []
    said = [f"{len(changes)} caption files of {len(texts)} pictures with a text."]
    said += [f"{kept} files have another text, and stay as they are."] if kept else []
    return Made(tuple(changes), tuple(said))


def _text(entry: Mapping[str, Any], kind: str) -> str:
    parts = (CAPTION, TAGS) if kind == BOTH else (kind,)
    return ", ".join(text for part in parts if (text := str(entry.get(part, "")).strip()))


def _in_place(new: str, old: str) -> str:
    """Return the new text with the blanks and line breaks that stood around the old one."""
    bare = old.strip()
    if not bare:
        return new + old
    start = old.index(bare)
    return old[:start] + new + old[start + len(bare) :]
