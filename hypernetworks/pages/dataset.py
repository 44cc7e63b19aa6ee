"""The HTML of the tab Dataset: the content of an epoch, sizes, problems and tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from ..data.dataset import Sample
from ..data.summary import facts
from ..data.survey.survey import KINDS, Bucket, Problem, Survey
from ..data.survey.tags import count_tags
from ..data.survey.thumbnails import trained_picture
from . import elements
from .sentences import in_page_words

_FILE = "dataset.html"
_EXAMPLES = 5
_EXAMPLE_PX = 96
_PROBLEMS_SHOWN = 200
_TAGS_SHOWN = 1_000
_TAG = 2_000


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
            shown = found[:_PROBLEMS_SHOWN]
            rows = [(_link(one), elements.text(in_page_words(one.sentence, {}), 400)) for one in shown]
            yield kind.capitalize(), f"{len(found):,}", rows, elements.beyond(len(found), _PROBLEMS_SHOWN)


def _tag(tag: str, count: int, most: int) -> tuple[str, int, str, str]:
    """Return the text of a tag to search for, how many pictures have it, that in words, and the length of its bar."""
    return tag[:_TAG], count, f"{count:,}", f"{6 * count / most:.2f}"


def _link(problem: Problem) -> str:
    if problem.sample is None:
        return elements.own(problem.path.name, 120)
    return elements.piece(_FILE, "picture_link", problem.sample, elements.text(problem.path.name, 120))


def _name(sample: Sample) -> str:
    return elements.text(sample.path.name, 120)


def _count(count: int, one: str, many: str) -> str:
    return (one if count == 1 else many).format(f"{count:,}")
