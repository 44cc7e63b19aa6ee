"""Pictures of a dataset as HTML: the original with the crop drawn on it, beside what is trained."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..base.errors import DatasetError
from ..data.buckets import Frame
from ..data.captions import METADATA, caption_origin
from ..data.dataset import Sample
from ..data.survey.survey import Survey
from ..data.survey.thumbnails import Thumbnail, trained_picture, whole_picture
from . import elements

PER_PAGE = 24
_CARD_PX = 192
_CHOSEN_PX = 320
_CROPS_SHOWN = 12
_CAPTION = 240
ALL, TROUBLED, HELD_OUT, REGULAR = "all pictures", "with problems", "held out", "for regularisation"


def choices(survey: Survey) -> list[str]:
    """Tell what can be chosen to be shown."""
    others = any(sample.subset.is_regularisation for sample in survey.samples)
    optional = [(TROUBLED, bool(_sentences(survey))), (HELD_OUT, bool(survey.held_out)), (REGULAR, others)]
    sizes = dict.fromkeys(f"{one.kind.width_px} x {one.kind.height_px}" for one in survey.buckets)
    return [ALL, *(name for name, is_there in optional if is_there), *sizes]


def chosen(survey: Survey, show: str, words: str) -> list[int]:
    """Numbers of the samples to show.

    Args:
        show: one of `choices`; anything else is all of them.
        words: what their name or caption must contain, in letters of any case.
    """
    troubled = _sentences(survey)
    sizes = {
        number
        for one in survey.buckets
        if f"{one.kind.width_px} x {one.kind.height_px}" == show
        for number in one.samples
    }
    wanted = words.strip().lower()

    def is_shown(number: int, sample: Sample) -> bool:
        belongs = {
            TROUBLED: number in troubled,
            HELD_OUT: number in survey.held_out,
            REGULAR: sample.subset.is_regularisation,
        }.get(show, not sizes or number in sizes)
        return belongs and (wanted in sample.written.lower() or wanted in sample.path.name.lower())

    return [number for number, sample in enumerate(survey.samples) if is_shown(number, sample)]


def page_count(numbers: Sequence[int]) -> int:
    """Pages that so many pictures take; one at least."""
    return max(1, -(-len(numbers) // PER_PAGE))


def cards(survey: Survey, numbers: Sequence[int], page: int) -> str:
    """Return a page of pictures, counted from 1."""
    shown = list(itertools.islice(numbers, (page - 1) * PER_PAGE, page * PER_PAGE))
    if not shown:
        return "<p class='hnw-note'>No picture has that.</p>"
    troubled = _sentences(survey)
    return f"<div class='hnw-cards'>{''.join(_card(survey, one, troubled.get(one, [])) for one in shown)}</div>"


def large(survey: Survey, number: int) -> str:
    """One picture, with all that is known of it."""
    sample = survey.samples[number]
    rows = [("Picture", elements.text(sample.path, 400)), ("Size", _size(sample))]
    rows.append(("Seen as", elements.text(sample.caption)))
    rows += [("Problem", elements.text(sentence, 400)) for sentence in _sentences(survey).get(number, [])]
    pair = _pair(survey, sample, _CHOSEN_PX)
    return f"<div class='hnw-report hnw-chosen'>{pair}{elements.facts(rows)}</div>"


def _card(survey: Survey, number: int, sentences: Sequence[str]) -> str:
    sample = survey.samples[number]
    problems = "".join(f"<span class='hnw-trouble'>{elements.text(sentence, 200)}</span>" for sentence in sentences)
    return (
        f"<button type='button' class='hnw-card' data-number='{number}' onclick='hnwDatasetPick({number})'>"
        f"{_pair(survey, sample, _CARD_PX)}<b>{elements.text(sample.path.name, 80)}</b>"
        f"<small>{_size(sample)}{_marks(survey, number)}</small>"
        f"<span>{elements.text(sample.written, _CAPTION) or '<i>no caption</i>'}</span>{problems}</button>"
    )


def _pair(survey: Survey, sample: Sample, long_px: int) -> str:
    try:
        found = survey.thumbnails.get(sample)
        trained = trained_picture(found, sample, sample.frames[0], long_px)
    except DatasetError as error:
        return elements.problem(str(error))
    original = _original(found, sample, long_px)
    return f"<span class='hnw-pair'>{original}<img src='{trained}' alt='as it is trained'></span>"


def _original(found: Thumbnail, sample: Sample, long_px: int) -> str:
    """Return the whole picture, dark outside of the crop; every crop has a border."""
    width, height = sample.size
    first, *others = sample.frames[:_CROPS_SHOWN]
    veil = f"<path d='M0 0H{width}V{height}H0Z{_outline(first)}' fill='#000' fill-opacity='.55' fill-rule='evenodd'/>"
    borders = "".join(
        f"<path d='{_outline(one)}' class='hnw-crop' vector-effect='non-scaling-stroke'/>" for one in (first, *others)
    )
    image = f"<image href='{whole_picture(found, sample, long_px)}' width='{width}' height='{height}'/>"
    return (
        f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='the picture with its crop' "
        f"preserveAspectRatio='xMidYMid meet'>{image}{veil}{borders}</svg>"
    )


def _outline(frame: Frame) -> str:
    left, top, right, bottom = frame.box
    return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"


def _size(sample: Sample) -> str:
    frame = sample.frames[0]
    return f"{sample.size[0]} × {sample.size[1]} → {frame.width_px} × {frame.height_px}"


def _marks(survey: Survey, number: int) -> str:
    """Tell what else is to be known of a picture, in a few words."""
    sample = survey.samples[number]
    subset = sample.subset
    marks = [
        (len(sample.frames) > 1, f"{len(sample.frames)} crops"),
        (subset.repeats > 1 and not subset.is_regularisation, f"{subset.repeats} times"),
        (subset.is_flipped, "also mirrored"),
        (sample.mask is not None, "mask"),
        (sample.weight != 1, f"weight {sample.weight:g}"),
        (subset.is_regularisation, "regularisation"),
        (number in survey.held_out, "held out"),
        (caption_origin(sample.path, subset.source).kind == METADATA, "metadata"),
    ]
    return "".join(f" · {text}" for is_so, text in marks if is_so)


def _sentences(survey: Survey) -> dict[int, list[str]]:
    """Tell what is wrong with samples, by number."""
    found: dict[int, list[str]] = {}
    for problem in survey.problems:
        if problem.sample is not None:
            found.setdefault(problem.sample, []).append(f"{problem.kind}: {problem.sentence}")
    return found
