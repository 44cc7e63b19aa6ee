"""A survey of a dataset as HTML: what an epoch holds, the sizes that are trained, the problems and the tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape

from ..data.captions import CLASS, FILE, METADATA, NAME, caption_origin
from ..data.survey.survey import KINDS, Bucket, Problem, Survey
from ..data.survey.tags import count_tags
from ..data.survey.thumbnails import trained_picture
from . import elements

_EXAMPLES = 5
_EXAMPLE_PX = 96
_PROBLEMS_SHOWN = 200
_TAGS_SHOWN = 1_000
_ORIGINS = {
    FILE: "{} from caption files",
    METADATA: "{} from the metadata file",
    CLASS: "{} class tokens",
    NAME: "{} from names",
}


def render(survey: Survey) -> str:
    """Return the whole survey but the pictures."""
    parts = []
    if survey.obstacle:
        parts.append(elements.problem(f"A run would not start: {survey.obstacle}."))
    parts += [elements.facts(_facts(survey)), "<h4>Sizes that are trained</h4>", _buckets(survey), _problems(survey)]
    parts.append(_tags(survey))
    return f"<div class='hnw-report'>{''.join(parts)}</div>"


def _facts(survey: Survey) -> Iterator[tuple[str, str]]:
    left_out, held_out = len(survey.reading.left_out), len(survey.held_out)
    others = sum(sample.subset.is_regularisation for sample in survey.samples)
    counts = [
        (left_out, "{} left out"),
        *((count, f"{{}} passed over by {reason}") for reason, count in survey.reading.passed_over.items()),
        (held_out, "{} held out for validation"),
        (others, "{} for regularisation"),
    ]
    more = "".join(f", {what.format(f'{count:,}')}" for count, what in counts if count)
    if survey.samples and survey.request.train.validation_share and not held_out:
        more += ", none held out for validation: that takes two to teach"
    yield "Pictures", f"{len(survey.samples):,} can be used{more}"
    yield "An epoch", _epoch(survey)
    origins = Counter(caption_origin(sample.path, sample.subset.source).kind for sample in survey.samples)
    yield "Captions", ", ".join(_ORIGINS[kind].format(f"{count:,}") for kind, count in origins.most_common()) or "none"
    if survey.tokens is None:
        yield "Tokens", "are counted once a checkpoint is loaded"
    else:
        yield "Tokens", f"{max(survey.tokens, default=0):,} at most in a caption"
    if any(sample.subset.masks != "off" for sample in survey.samples):
        alpha = any(sample.subset.masks == "alpha" for sample in survey.samples)
        files = sum(sample.mask is not None for sample in survey.samples)
        yield "Masks", "alpha channels" if alpha else f"files beside {files:,} of {len(survey.samples):,} pictures"


def _epoch(survey: Survey) -> str:
    steps, accumulation = survey.division.steps_per_epoch, survey.request.train.gradient_accumulation
    shown = sum(bucket.shown for bucket in survey.buckets)
    batches = sum(bucket.batches for bucket in survey.buckets)
    gathered = f", {accumulation} of them a step" if accumulation > 1 else ""
    return (
        f"<b class='hnw-steps'>{_count(steps, '{} step', '{} steps')}</b>: "
        f"{_count(shown, '{} picture', '{} pictures')} in {_count(batches, '{} batch', '{} batches')}{gathered}"
    )


def _buckets(survey: Survey) -> str:
    head = ("Size", "Ratio", "Pictures", "An epoch", "Batches", "Last batch", "As they are trained")
    return elements.table(head, (_bucket(survey, bucket) for bucket in survey.buckets), "hnw-buckets")


def _bucket(survey: Survey, bucket: Bucket) -> tuple[str, ...]:
    kind = bucket.kind
    return (
        f"{kind.width_px} × {kind.height_px}",
        f"{kind.width_px / kind.height_px:.2f}",
        f"{len(bucket.samples):,}",
        f"{bucket.shown:,}",
        f"{bucket.batches:,}",
        f"{bucket.last_batch} of {kind.batch_size}",
        "".join(_examples(survey, bucket)),
    )


def _examples(survey: Survey, bucket: Bucket) -> Iterator[str]:
    for number in bucket.samples[:_EXAMPLES]:
        sample = survey.samples[number]
        picture = trained_picture(survey.thumbnails.get(sample), sample, sample.frames[0], _EXAMPLE_PX)
        name = elements.text(sample.path.name, 120)
        yield f"<img src='{picture}' alt='{name}' title='{name}'>"
    left = len(bucket.samples) - _EXAMPLES
    if left > 0:
        yield f"<span>and {left:,} more</span>"


def _problems(survey: Survey) -> str:
    if not survey.problems:
        return "<h4>Problems</h4><p>None was found.</p>"
    folds: list[str] = []
    for kind in KINDS:
        found = [problem for problem in survey.problems if problem.kind == kind]
        if found:
            rows = [(_name(problem), elements.text(problem.sentence, 400)) for problem in found[:_PROBLEMS_SHOWN]]
            folds.append(
                f"<details{' open' if not folds else ''}><summary>{kind.capitalize()} ({len(found):,})</summary>"
                f"<div class='hnw-scroll'>{elements.table(('Picture', 'What was found'), rows, 'hnw-problems')}"
                f"{_more(len(found))}</div></details>"
            )
    return f"<h4>Problems ({len(survey.problems):,})</h4>{''.join(folds)}"


def _name(problem: Problem) -> str:
    name = elements.text(problem.path.name, 120)
    if problem.sample is None:
        return name
    return f"<button type='button' class='hnw-link' onclick='hnwDatasetPick({problem.sample})'>{name}</button>"


def _tags(survey: Survey) -> str:
    counts = count_tags((sample.written, sample.subset.captions) for sample in survey.samples)
    if not counts:
        return ""
    rows = "".join(_tag_rows(counts[:_TAGS_SHOWN], counts[0][1]))
    head = "".join(
        f"<th scope='col'><button type='button' class='hnw-link' onclick='hnwDatasetSort(this, {column})'>{name}"
        "</button></th>"
        for column, name in enumerate(("Tag", "Pictures"))
    )
    table = f"<table class='hnw-table hnw-tags'><thead><tr>{head}<th></th></tr></thead><tbody>{rows}</tbody></table>"
    more = f"<p>and {len(counts) - _TAGS_SHOWN:,} rarer ones</p>" if len(counts) > _TAGS_SHOWN else ""
    return (
        f"<details open><summary>Tags ({len(counts):,})</summary><div class='hnw-scroll'>{table}{more}</div></details>"
    )


def _tag_rows(counts: Iterable[tuple[str, int]], most: int) -> Iterator[str]:
    for tag, count in counts:
        shown = elements.text(tag, 200)
        yield (
            f"<tr><td><button type='button' class='hnw-link' data-tag='{escape(tag)}' onclick='hnwDatasetFind(this)'>"
            f"{shown}</button></td>"
            f"<td data-sort='{count}'>{count:,}</td>"
            f"<td><span class='hnw-bar' style='width: {6 * count / most:.2f}em'></span></td></tr>"
        )


def _more(count: int) -> str:
    return f"<p>and {count - _PROBLEMS_SHOWN:,} more</p>" if count > _PROBLEMS_SHOWN else ""


def _count(count: int, one: str, many: str) -> str:
    return (one if count == 1 else many).format(f"{count:,}")
