"""The actions of the tab Dataset: survey a dataset, change captions and undo that, make copies."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules import paths
from PIL import Image

from ....hypernetworks.base.errors import DatasetError, SettingsError
from ....hypernetworks.base.options import Settings, from_tables
from ....hypernetworks.base.outside import shown, shown_name
from ....hypernetworks.data.images import open_picture
from ....hypernetworks.data.survey import captioning, copies, metadata_actions
from ....hypernetworks.data.survey.caption_edits import Change, Edit, History
from ....hypernetworks.data.survey.caption_journal import CaptionJournal
from ....hypernetworks.data.survey.conversion import ConversionSettings, changes_to_utf8
from ....hypernetworks.data.survey.metadata_actions import MetadataSettings
from ....hypernetworks.data.survey.survey import Helpers, Survey, SurveyRequest, SurveySettings, survey
from ....hypernetworks.data.survey.tag_cleaning import CleaningSettings
from ....hypernetworks.data.survey.tagger import Tagger, TaggerSettings
from ....hypernetworks.data.survey.tags import TagSettings
from ....hypernetworks.data.survey.thumbnails import Thumbnails
from ....hypernetworks.queue.kinds.caption import CaptionJob
from ....hypernetworks.train.settings.job import DataSettings, TrainSettings
from ...model import taggers
from ...model.subject import find_subject
from ...patching.error_reports import report_unexpected
from ...runs.side_jobs import present_progress

_thumbnails = Thumbnails()
_UNDO_ELSEWHERE = "launch.py dataset undo, with the folder of the file, undoes this."
_SECTIONS: dict[str, type[Settings]] = {"data": DataSettings, "train": TrainSettings, "limits": SurveySettings}


@report_unexpected()
def look(tables: Mapping[str, Any]) -> Survey:
    """Return the survey of what a form describes.

    Raises:
        SettingsError: names each wrong field as `section.key`; all of them at once.
        DatasetError: somebody pressed Interrupt.
    """
    sections = from_tables(_SECTIONS, tables)
    train: TrainSettings = sections.pop("train")
    request = SurveyRequest(
        **sections,
        name=tables["name"],
        seed=train.seed,
        gradient_accumulation=train.gradient_accumulation,
        validation_share=train.validation_share,
    )
    return _surveyed(request)


def edits(seen: Survey) -> list[Edit]:
    """Return the edits of these captions that can be undone, the newest first."""
    pictures = [sample.path for sample in seen.samples] + [one.path for one in seen.scan.left_out]
    return _history().edits({path.parent for path in pictures})


@report_unexpected()
def set_caption(seen: Survey, number: int, text: str) -> tuple[Survey, str]:
    """Give one picture a caption; return the new survey and a sentence.

    Raises:
        SettingsError, DatasetError: captions cannot be changed; everything is as it was.
    """
    if not 0 <= number < len(seen.samples):
        raise SettingsError("Caption", "press a picture first")
    name = shown_name(seen.samples[number].path)
    changes = captioning.change_of_one(seen, number, text)
    if not changes:
        return seen, f"{name} has this caption already."
    return _applied(seen, f"caption of {name}", changes)


@report_unexpected()
def set_tags(seen: Survey, values: Mapping[str, Any], numbers: Sequence[int] | None = None) -> tuple[Survey, str]:
    """Change tags as `TagSettings` of `values` say; return the new survey and a sentence.

    Args:
        numbers: those of the samples whose captions change; None for all of them.

    Raises:
        SettingsError, DatasetError: captions cannot be changed; everything is as it was.
    """
    settings = TagSettings.from_mapping(values)
    return _applied(seen, settings.title, captioning.changes_of_tags(seen, settings, numbers))


@report_unexpected()
def convert(seen: Survey, values: Mapping[str, Any]) -> tuple[Survey, str]:
    """Convert captions to UTF-8 as `ConversionSettings` of `values` say; return the new survey and a sentence.

    Raises:
        SettingsError, DatasetError: nothing can be converted; everything is as it was.
    """
    changes = changes_to_utf8(seen, ConversionSettings.from_mapping(values))
    _, sentence = _applied(seen, "convert to UTF-8", changes)
    return _surveyed(seen.request), sentence  # their pictures were left out, and are opened now


@report_unexpected()
def edit_metadata(seen: Survey, values: Mapping[str, Any], cleaning: Mapping[str, Any]) -> tuple[Survey, str]:
    """Make, clean or write back kohya's metadata as `MetadataSettings` of `values` say; return survey and sentence.

    Raises:
        SettingsError, DatasetError: it cannot be done; everything is as it was.
    """
    settings, rules = MetadataSettings.from_mapping(values), CleaningSettings.from_mapping(cleaning)
    folder = Path(seen.request.data.folder)
    if not seen.request.data.folder:
        raise SettingsError("folder", "name the folder that holds the pictures")
    made = metadata_actions.planned(folder, settings, rules)
    said = " ".join(made.said)
    if not made.changes:
        return seen, f"{said} All is like that already."
    path = settings.path(folder)
    edit = _history().apply(f"{settings.action}: {path.name}", made.changes)
    after = _anew(seen)
    is_near = edits(after)[:1] == [edit]
    way = "Press Undo to undo this." if is_near else _UNDO_ELSEWHERE
    return after, f"{said} Done: {settings.action}. {way}"


@report_unexpected()
def undo(seen: Survey) -> tuple[Survey, str]:
    """Undo the newest edit of these captions; return the new survey and a sentence.

    Raises:
        DatasetError: there is none, or a file has been changed since or cannot be written.
    """
    found = edits(seen)
    if not found:
        raise DatasetError("there is no edit of these captions to undo")
    history = _history()
    history.undo(found[0])
    return _anew(seen), f"Undone: {found[0].title} ({_files(found[0].changes)})."


@report_unexpected()
def caption_all(
    seen: Survey, tagger: str, values: Mapping[str, Any], journal: CaptionJournal | None = None
) -> tuple[Survey, str]:
    """Caption pictures with a tagger; return the new survey and a sentence.

    After an interrupt or an error the captions made so far are kept.

    Args:
        journal: keeps them through a kill of the process; what it has already is not made again.

    Raises:
        SettingsError, DatasetError: nothing could be captioned; everything is as it was.
    """
    settings = TaggerSettings.from_mapping(values)
    chosen = _checked(tagger, settings)
    if journal is not None and (edit := _history().marked(journal.mark)) is not None:
        _history().finish(edit)  # the process was killed while it wrote them
        journal.settle()
        seen = _anew(seen)
    signs = {number: _sign(seen, number) for number in captioning.samples_to_caption(seen, settings)}
    done, pending = (journal.done, journal.pending) if journal else (set(), {})
    numbers = [number for number, sign in signs.items() if sign not in done]
    if not numbers and done:
        return seen, "All pictures are captioned."
    if not numbers:
        raise SettingsError("existing", "all pictures have a caption, and it is to be kept; choose another way")
    found = {number: pending[signs[number]] for number in numbers if signs[number] in pending}

    def take(number: int, caption: str) -> None:
        if journal is not None:
            journal.note(signs[number], caption)
        found[number] = caption

    stopped = _describe(seen, numbers, _Asked(tagger, chosen, settings), found, take)
    if not found:
        raise DatasetError(stopped)
    changes = captioning.changes_of_tagger(seen, found, settings)
    after, sentence = _applied(seen, f"captions by {tagger}", changes, journal.mark if journal else "")
    if journal is not None:
        journal.settle()
    if unused := chosen.unused(settings):
        sentence = f"{sentence} {tagger} does not use: {', '.join(unused)}."
    return after, f"{stopped}. {sentence}" if stopped else sentence


@report_unexpected()
def queued(data: Mapping[str, Any], tagger: str, values: Mapping[str, Any]) -> CaptionJob:
    """Return the job that does what `caption_all` does with these pictures; raises SettingsError."""
    job = CaptionJob.from_mapping({"data": data, "caption": {**values, "tagger": tagger}})
    _checked(tagger, job.caption)
    return job


@report_unexpected()
def make_copies(seen: Survey, values: Mapping[str, Any]) -> str:
    """Split and mirror pictures as `CopySettings` of `values` say; return a sentence.

    Raises:
        SettingsError, DatasetError: the copies cannot be made; nothing was written.
    """
    settings = copies.CopySettings.from_mapping(values)
    planned = copies.plan_copies(seen, settings)
    count = copies.write_copies(planned, present_progress())
    if settings.target:
        return f"Wrote {count:,} pictures to {settings.target}; name it as the dataset folder to train on them."
    return f"Wrote {count:,} pictures next to the originals; press Look to see them."


@dataclass(frozen=True)
class _Asked:
    """A tagger by its name, and what it is asked for."""

    name: str
    tagger: Tagger
    settings: TaggerSettings

    @contextlib.contextmanager
    def describing(self) -> Iterator[Callable[[Image.Image], str]]:
        """Load the tagger; yield what returns the caption of a picture, in one line."""
        with self.tagger.open(self.settings) as describe:

            def caption(picture: Image.Image) -> str:
                text = " ".join(describe(picture).split())
                return self.settings.prefix + text if text else ""

            yield caption


def _checked(name: str, settings: TaggerSettings) -> Tagger:
    """Return the tagger of a name; raises SettingsError where there is none, or it cannot work with the settings."""
    known = taggers.available()
    if name not in known:
        raise SettingsError("tagger", f"must be one of {', '.join(known)}, not {shown(name)}")
    known[name].check(settings)
    return known[name]


def _sign(seen: Survey, number: int) -> str:
    """Return a short sign of a picture, which stays the same while it is not moved."""
    return hashlib.sha256(str(seen.samples[number].path).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _describe(
    seen: Survey, numbers: Sequence[int], asked: _Asked, found: Mapping[int, str], take: Callable[[int, str], None]
) -> str:
    """Give `take` a tagger's captions of what is not `found` yet; return why it ended early, or an empty text."""
    progress = present_progress()
    progress.report(len(found), len(numbers), f"Loading {asked.name}")
    try:
        with asked.describing() as describe:
            for number in [number for number in numbers if number not in found]:
                done = len(found)
                progress.report(done, len(numbers), f"Captioning pictures, {done} of {len(numbers)}")
                if progress.is_interrupted():
                    return f"Stopped after {done} of {len(numbers)} pictures"
                sample = seen.samples[number]
                take(number, describe(open_picture(sample.path, sample.subset.background)))
    except SettingsError:
        raise
    except taggers.ERRORS as error:
        return f"{asked.name} failed after {len(found)} of {len(numbers)} pictures ({error})"
    return ""


def _applied(seen: Survey, title: str, changes: Sequence[Change], mark: str = "") -> tuple[Survey, str]:
    if not changes:
        return seen, "All captions are like that already."
    _history().apply(title, changes, mark)
    return _anew(seen), f"Done: {title} ({_files(changes)}). Press Undo to undo this."


def _surveyed(request: SurveyRequest) -> Survey:
    return survey(request, _thumbnails, present_progress(), Helpers(taggers.token_counter(), find_subject))


def _anew(seen: Survey) -> Survey:
    return seen.recaptioned(taggers.token_counter())


def _files(changes: Sequence[Change]) -> str:
    return "1 caption file" if len(changes) == 1 else f"{len(changes):,} caption files"


def _history() -> History:
    return History(Path(paths.data_path) / "caption-edits")
