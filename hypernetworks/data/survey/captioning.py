"""Changes of captions: of one picture, of the tags of all, and a tagger's captions combined with those there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ...base.errors import DatasetError, SettingsError
from ..captions import FILE, METADATA, CaptionOrigin, Neighbours, caption_origin, read_file
from ..dataset import Sample
from .caption_edits import Change, change_of
from .survey import Survey
from .tag_text import TagText
from .tagger import BEFORE, KEEP, REPLACE, TaggerSettings
from .tags import ADD, REMOVE, TagSettings
from .tags import REPLACE as REPLACE_TAG

_METADATA = "its caption comes from the metadata file, which goes before caption files; edit it there"


def text_to_edit(sample: Sample) -> str:
    """Return the caption of a sample as its file has it, or as it was found where it has none."""
    if sample.found.origin.kind != FILE:
        return sample.written
    try:
        return "\n".join(read_file(sample.found.origin.path).splitlines())
    except DatasetError:  # it went meanwhile
        return sample.written


def change_of_one(survey: Survey, number: int, text: str) -> list[Change]:
    """Return the change that gives a picture a caption, or nothing where it has that already.

    Raises:
        SettingsError: its caption is not that of a file; names the field.
        DatasetError: the caption file cannot be read.
    """
    sample = survey.samples[number]
    ((_, origin),) = _origins([sample])
    if origin.kind == METADATA:
        raise SettingsError("Caption", _METADATA)
    lines = text.strip().splitlines()

    def edited(old: str) -> str:
        if "\n".join(old.splitlines()).rstrip() == "\n".join(lines):
            return old
        breaks = [line[len(line.rstrip("\r\n")) :] for line in old.splitlines(keepends=True)]
        usual = next(filter(None, breaks), "\n")
        new = "".join(line + (breaks[at] if at < len(breaks) - 1 else usual) for at, line in enumerate(lines))
        return new if breaks and breaks[-1] else new.removesuffix(usual)

    change = change_of(origin.path, edited)
    return [] if change.before == change.after else [change]


def changes_of_tags(survey: Survey, settings: TagSettings, numbers: Sequence[int] | None = None) -> list[Change]:
    """Return the changes of the tags of all captions that come from files or can be put into one.

    Args:
        numbers: those of the samples whose captions change; None for all of them.

    Raises:
        SettingsError: a tag is missing, or nothing would change; names the field.
        DatasetError: a caption file cannot be read.
    """
    samples = survey.samples if numbers is None else [survey.samples[number] for number in numbers]
    changes = _changes(samples, lambda sample: settings.change(sample.subset.captions))
    if not changes and settings.action in (ADD, REMOVE, REPLACE_TAG):
        there = "has" if settings.action != ADD else "lacks"
        raise SettingsError("tag", f"no caption that can be edited {there} {settings.tag}")
    return changes


def samples_to_caption(survey: Survey, settings: TaggerSettings) -> list[int]:
    """Return the numbers of the samples that a tagger should caption."""
    return [
        number
        for number, (sample, origin) in enumerate(_origins(survey.samples))
        if origin.kind != METADATA and (settings.existing != KEEP or not _has_own(sample, origin))
    ]


def changes_of_tagger(survey: Survey, found: Mapping[int, str], settings: TaggerSettings) -> list[Change]:
    """Return the changes that combine a tagger's captions, by number of the sample, with those there are.

    Raises:
        DatasetError: a caption file cannot be read.
    """
    new = {id(survey.samples[number]): text for number, text in found.items()}

    def edit(sample: Sample) -> Callable[[str], str]:
        rules, caption = sample.subset.captions, new[id(sample)]

        def edited(text: str) -> str:
            if not text.strip() or settings.existing in (KEEP, REPLACE):
                return caption + text[len(text.rstrip("\r\n")) :]
            return TagText(text, rules).added([caption], settings.existing == BEFORE)

        return edited

    return _changes([survey.samples[number] for number in found], edit, starts_empty=True)


def _origins(samples: Iterable[Sample]) -> Iterator[tuple[Sample, CaptionOrigin]]:
    """Yield the samples, each with where its caption comes from now."""
    samples = list(samples)
    neighbours = Neighbours({ending for sample in samples for ending in sample.subset.source.extensions})
    for sample in samples:
        yield sample, caption_origin(sample.path, sample.subset.source, neighbours)


def _has_own(sample: Sample, origin: CaptionOrigin) -> bool:
    """Tell whether somebody wrote a caption for the picture, so that it is not the words of its name."""
    return origin.kind == FILE and bool(sample.written)


def _changes(
    samples: Iterable[Sample], edit_of: Callable[[Sample], Callable[[str], str]], starts_empty: bool = False
) -> list[Change]:
    """Return one change for each caption file; pictures that share a file are changed with the first of them.

    Args:
        edit_of: returns what takes the text of the sample's file and returns the new one.
        starts_empty: whether a picture without a file starts with an empty text, not with what it is trained with.
    """
    changes: dict[Path, Change] = {}
    for sample, origin in _origins(samples):
        if origin.kind == METADATA or origin.path in changes:
            continue
        edit, start = edit_of(sample), "" if starts_empty else sample.written
        if origin.kind == FILE or edit(start) != start:
            changes[origin.path] = change_of(origin.path, edit, start)
    return [change for change in changes.values() if change.before != change.after]
