"""The HTML of the tab Dataset: the content of an epoch, sizes, problems and tags, and the pictures themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from ..base.errors import DatasetError
from ..data.buckets import Frame
from ..data.captions import METADATA
from ..data.dataset import Sample
from ..data.summary import facts
from ..data.survey.survey import KINDS, Bucket, Problem, Survey
from ..data.survey.tags import count_tags
from ..data.survey.thumbnails import trained_picture, whole_picture
from . import elements

_FILE = "dataset.html"
PER_PAGE = 24
ALL, TROUBLED, HELD_OUT, REGULAR = "all pictures", "with problems", "held out", "for regularisation"
_EXAMPLES = 5
_EXAMPLE_PX, _CARD_PX, _CHOSEN_PX = 96, 192, 320
_PROBLEMS_SHOWN = 200
_TAGS_SHOWN = 1_000
_TAG = 2_000
_CROPS_SHOWN = 12
_CAPTION = 240


def render(survey: Survey) -> str:
    """Return the whole survey without the pictures."""
    tags = count_tags((sample.written, sample.subset.captions) for sample in survey.samples)
    return elements.page(
        _FILE,
        "survey",
        obstacle=survey.obstacle,
        known=_facts(survey),
        buckets=(_bucket(survey, bucket) for bucket in survey.buckets),
        problem_count=f"{len(survey.problems):,}",
        problems=list(_problems(survey)),
        tag_count=f"{len(tags):,}",
        tags=[_tag(tag, count, tags[0][1]) for tag, count in tags[:_TAGS_SHOWN]],
        rarer=elements.beyond(len(tags), _TAGS_SHOWN),
    )


def _facts(survey: Survey) -> Iterator[tuple[str, str]]:
    held_out = len(survey.held_out)
    more = [f"{held_out:,} held out for validation"] if held_out else []
    if survey.samples and survey.request.validation_share and not held_out:
        more = ["none held out for validation: that takes at least two to train on"]
    pictures, *captions = facts(survey.scan, more)
    yield pictures
    yield "An epoch", _epoch(survey)
    yield from captions
    if survey.tokens is None:
        yield "Tokens", "are counted once a checkpoint is loaded"
    else:
        yield "Tokens", f"{max(survey.tokens, default=0):,} at most in a caption"
    if any(sample.subset.masks != "off" for sample in survey.samples):
        alpha = any(sample.subset.masks == "alpha" for sample in survey.samples)
        files = sum(sample.mask is not None for sample in survey.samples)
        yield "Masks", "alpha channels" if alpha else f"files beside {files:,} of {len(survey.samples):,} pictures"


def _epoch(survey: Survey) -> Markup:
    steps, accumulation = survey.division.steps_per_epoch, survey.request.gradient_accumulation
    shown = sum(bucket.shown for bucket in survey.buckets)
    batch_count = sum(bucket.batch_count for bucket in survey.buckets)
    return elements.piece(
        _FILE,
        "epoch",
        steps=_count(steps, "{} step", "{} steps"),
        pictures=_count(shown, "{} picture", "{} pictures"),
        batches=_count(batch_count, "{} batch", "{} batches"),
        gathered=f", {accumulation} of them per step" if accumulation > 1 else "",
    )


def _bucket(survey: Survey, bucket: Bucket) -> Sequence[str]:
    kind = bucket.kind
    examples = [(_example(survey, number), _name(survey.samples[number])) for number in bucket.samples[:_EXAMPLES]]
    return (
        f"{kind.width_px} × {kind.height_px}",
        f"{kind.width_px / kind.height_px:.2f}",
        f"{len(bucket.samples):,}",
        f"{bucket.shown:,}",
        f"{bucket.batch_count:,}",
        f"{bucket.last_batch} of {kind.batch_size}",
        elements.piece(_FILE, "examples", examples, elements.beyond(len(bucket.samples), _EXAMPLES)),
    )


def _example(survey: Survey, number: int) -> str:
    sample = survey.samples[number]
    return trained_picture(survey.thumbnails.get(sample), sample, sample.frames[0], _EXAMPLE_PX)


def _problems(survey: Survey) -> Iterator[tuple[str, str, Sequence[Sequence[str]], str]]:
    """Return the problems of each kind: its name, how many, rows of a table, and how many more there are."""
    for kind in KINDS:
        found = [problem for problem in survey.problems if problem.kind == kind]
        if found:
            rows = [(_link(problem), elements.text(problem.sentence, 400)) for problem in found[:_PROBLEMS_SHOWN]]
            yield kind.capitalize(), f"{len(found):,}", rows, elements.beyond(len(found), _PROBLEMS_SHOWN)


def _tag(tag: str, count: int, most: int) -> tuple[str, int, str, str]:
    """Return the text of a tag to search for, how many pictures have it, that in words, and the length of its bar."""
    return tag[:_TAG], count, f"{count:,}", f"{6 * count / most:.2f}"


def _link(problem: Problem) -> str:
    name = elements.text(problem.path.name, 120)
    return name if problem.sample is None else elements.piece(_FILE, "picture_link", problem.sample, name)


def _name(sample: Sample) -> str:
    return elements.text(sample.path.name, 120)


def _count(count: int, one: str, many: str) -> str:
    return (one if count == 1 else many).format(f"{count:,}")


def choices(survey: Survey) -> list[str]:
    """Return the choices of which pictures to show."""
    others = any(sample.subset.is_regularisation for sample in survey.samples)
    optional = [(TROUBLED, bool(_sentences(survey))), (HELD_OUT, bool(survey.held_out)), (REGULAR, others)]
    sizes = dict.fromkeys(f"{one.kind.width_px} x {one.kind.height_px}" for one in survey.buckets)
    return [ALL, *(name for name, is_there in optional if is_there), *sizes]


def chosen(survey: Survey, show: str, words: str) -> list[int]:
    """Return the numbers of the samples to show.

    Args:
        show: one of `choices`; anything else is all of them.
        words: text that the name or the caption must contain, in any case.
    """
    troubled = _sentences(survey)
    of_size = [one for one in survey.buckets if f"{one.kind.width_px} x {one.kind.height_px}" == show]
    sized = {number for one in of_size for number in one.samples}
    wanted = words.strip().lower()

    def is_shown(number: int, sample: Sample) -> bool:
        belongs = {
            TROUBLED: number in troubled,
            HELD_OUT: number in survey.held_out,
            REGULAR: sample.subset.is_regularisation,
        }.get(show, not sized or number in sized)
        return belongs and (wanted in sample.written.lower() or wanted in sample.path.name.lower())

    return [number for number, sample in enumerate(survey.samples) if is_shown(number, sample)]


def page_count(numbers: Sequence[int]) -> int:
    """Return the number of pages for this number of pictures; at least one."""
    return max(1, -(-len(numbers) // PER_PAGE))


def cards(survey: Survey, numbers: Sequence[int], page: int) -> str:
    """Return a page of pictures; pages count from 1."""
    shown = itertools.islice(numbers, (page - 1) * PER_PAGE, page * PER_PAGE)
    troubled = _sentences(survey)
    return elements.page(_FILE, "cards", [_card(survey, one, troubled.get(one, [])) for one in shown])


def large(survey: Survey, number: int) -> str:
    """Return one picture with all that is known of it."""
    sample = survey.samples[number]
    known = [("Picture", elements.text(sample.path, 400)), ("Size", _size(sample))]
    known.append(("Seen as", elements.text(sample.caption)))
    known += [("Problem", elements.text(sentence, 400)) for sentence in _sentences(survey).get(number, [])]
    return elements.page(_FILE, "chosen", _pair(survey, sample, _CHOSEN_PX), known)


def _card(survey: Survey, number: int, sentences: Sequence[str]) -> dict[str, Any]:
    sample = survey.samples[number]
    return {
        "number": number,
        "pair": _pair(survey, sample, _CARD_PX),
        "name": elements.text(sample.path.name, 80),
        "size": _size(sample),
        "marks": _marks(survey, number),
        "caption": elements.text(sample.written, _CAPTION),
        "problems": sentences,
    }


def _pair(survey: Survey, sample: Sample, long_px: int) -> Markup:
    try:
        found = survey.thumbnails.get(sample)
        trained = trained_picture(found, sample, sample.frames[0], long_px)
    except DatasetError as error:
        return elements.piece("elements.html", "broken", str(error))
    width, height = sample.size
    original = whole_picture(found, sample, long_px)
    outlines = [_outline(frame) for frame in sample.frames[:_CROPS_SHOWN]]
    return elements.piece(_FILE, "pair", width, height, original, trained, outlines)


def _outline(frame: Frame) -> str:
    left, top, right, bottom = frame.box
    return f"M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z"


def _size(sample: Sample) -> str:
    frame = sample.frames[0]
    return f"{sample.size[0]} × {sample.size[1]} → {frame.width_px} × {frame.height_px}"


def _marks(survey: Survey, number: int) -> list[str]:
    """Return other facts about a picture, in a few words each."""
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
        (sample.found.origin.kind == METADATA, "metadata"),
    ]
    return [words for is_so, words in marks if is_so]


def _sentences(survey: Survey) -> dict[int, list[str]]:
    """Return what is wrong with samples, by number."""
    found: dict[int, list[str]] = {}
    for problem in survey.problems:
        if problem.sample is not None:
            found.setdefault(problem.sample, []).append(f"{problem.kind}: {problem.sentence}")
    return found
