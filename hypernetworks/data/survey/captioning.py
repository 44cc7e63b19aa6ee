"""Changes of captions: of one picture, of the tags of all, and a tagger's captions combined with those there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.options import Settings, setting
from ..captions import FILE, METADATA, caption_origin, in_lines
from ..dataset import Sample
from .caption_edits import Change, change_to
from .survey import Survey
from .tags import TagSettings

KEEP, BEFORE, AFTER, REPLACE = "keep it", "put the new one before it", "append the new one", "replace it"
_METADATA = "its caption comes from the metadata file, which goes before caption files; edit it there"


@dataclass(frozen=True)
class TaggerSettings(Settings):
    """How a tagger's captions are combined with those there are."""

    existing: str = setting(
        KEEP,
        "Existing captions",
        "What to do if the caption file of a picture already has text.",
        choices=(KEEP, BEFORE, AFTER, REPLACE),
    )


def change_of_one(survey: Survey, number: int, text: str) -> list[Change]:
    """Return the change that gives a picture a caption, or nothing where it has that already.

    Raises:
        SettingsError: its caption is not that of a file; names the field.
        DatasetError: the caption file cannot be read.
    """
    sample = survey.samples[number]
    if caption_origin(sample.path, sample.subset.source).kind == METADATA:
        raise SettingsError("Caption", _METADATA)
    lines = in_lines(text, sample.subset.source.keeps_lines)
    return _changes([sample], lambda _: lines, is_forced=True)


def changes_of_tags(survey: Survey, settings: TagSettings) -> list[Change]:
    """Return the changes of the tags of all captions that come from files or can be put into one.

    Raises:
        SettingsError: a tag is missing, or nothing would change; names the field.
        DatasetError: a caption file cannot be read.
    """
    changes = _changes(
        editable(survey), lambda sample: settings.change(sample.subset.captions)(sample.written), is_forced=False
    )
    if not changes:
        there = "has" if settings.action != "add" else "lacks"
        raise SettingsError("tag", f"no caption that can be edited {there} {settings.tag}")
    return changes


def samples_to_caption(survey: Survey, settings: TaggerSettings) -> list[int]:
    """Return the numbers of the samples that a tagger should caption."""
    return [
        number
        for number, sample in enumerate(survey.samples)
        if _kind(sample) != METADATA and (settings.existing != KEEP or not _own(sample))
    ]


def changes_of_tagger(survey: Survey, found: Mapping[int, str], settings: TaggerSettings) -> list[Change]:
    """Return the changes that combine a tagger's captions, by number of the sample, with those there are.

    Raises:
        DatasetError: a caption file cannot be read.
    """
    new = {id(survey.samples[number]): text for number, text in found.items()}

    def text(sample: Sample) -> str:
        rules, own, caption = sample.subset.captions, _own(sample), new[id(sample)]
        if not own or settings.existing == REPLACE:
            return caption
        return rules.joined([caption, own] if settings.existing == BEFORE else [own, caption])

    return _changes([survey.samples[number] for number in found], text, is_forced=False)


def editable(survey: Survey) -> list[Sample]:
    """Return the samples whose caption is in a file, or can be put into one."""
    return [sample for sample in survey.samples if _kind(sample) != METADATA]


def _kind(sample: Sample) -> str:
    return caption_origin(sample.path, sample.subset.source).kind


def _own(sample: Sample) -> str:
    """Return the caption that somebody wrote for the picture, not the words of its name."""
    return sample.written if _kind(sample) == FILE else ""


def _changes(samples: Iterable[Sample], text_of: Callable[[Sample], str], is_forced: bool) -> list[Change]:
    """Return one change for each caption file; pictures that share a file are changed with the first of them.

    Args:
        is_forced: whether a text that is the same as before is written all the same, so that it is in a file.
    """
    changes: dict[object, Change] = {}
    for sample in samples:
        origin = caption_origin(sample.path, sample.subset.source)
        text = text_of(sample)
        if origin.path in changes or (text == sample.written and (not is_forced or origin.kind == FILE)):
            continue
        changes[origin.path] = change_to(origin.path, text)
    return list(changes.values())
