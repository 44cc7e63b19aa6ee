"""The HTML of the tab Dataset: its pictures, those that are chosen of them, and the one whose caption is edited."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from ..base.errors import DatasetError
from ..data.buckets import Frame
from ..data.captions import METADATA, separators
from ..data.dataset import Sample
from ..data.survey.survey import KINDS, Problem, Survey
from ..data.survey.tags import count_tags, tags_of
from ..data.survey.thumbnails import large_picture, trained_picture, whole_picture
from . import elements

_FILE = "dataset.html"
PER_PAGE = 24
ALL, TROUBLED, HELD_OUT, REGULAR = "all pictures", "with problems", "held out", "for regularisation"
#: The choices that let every picture pass.
ANY_TAG, ANY_PROBLEM = "with any tags", "with or without problems"
_CARD_PX, _CHOSEN_PX, _CHOSEN_TRAINED_PX = 192, 768, 320
_CROPS_SHOWN = 12
_CAPTION = 240
_TAGS_LISTED = 2_000
_TAGS_OFFERED = 300
_TAG = 2_000
_COUNTED = re.compile(r"(.*) \(\d[\d,]*\)", re.DOTALL)


def choices(survey: Survey) -> list[str]:
    """Return the choices of which pictures to show."""
    others = any(sample.subset.is_regularisation for sample in survey.samples)
    optional = [(TROUBLED, bool(survey.problems)), (HELD_OUT, bool(survey.held_out)), (REGULAR, others)]
    sizes = dict.fromkeys(f"{one.kind.width_px} x {one.kind.height_px}" for one in survey.buckets)
    return [ALL, *(name for name, is_there in optional if is_there), *sizes]


def tag_choices(survey: Survey) -> list[str]:
    """Return the tags to choose from, each with the number of pictures that have it."""
    return [ANY_TAG, *(f"{tag} ({count:,})" for tag, count in _tags(survey)[:_TAGS_LISTED])]


def problem_choices(survey: Survey) -> list[str]:
    """Return the kinds of problems that were found, each with the number of pictures that have it."""
    counts = Counter(kind for kind, _ in {(one.kind, one.path) for one in survey.problems})
    return [ANY_PROBLEM, *(f"{kind} ({counts[kind]:,})" for kind in KINDS if counts[kind])]


def again(choice: str, among: Sequence[str]) -> str:
    """Return the choice that means what an earlier one did, whatever it counts now; the first where there is none."""
    return next((one for one in among if _uncounted(one) == _uncounted(choice)), among[0])


def chosen(survey: Survey, show: str, words: str, tag: str = ANY_TAG, problem: str = ANY_PROBLEM) -> list[int]:
    """Return the numbers of the pictures to show; those that are left out come after the samples.

    Args:
        show: one of `choices`; anything else is all of them.
        words: text that the name or the caption must contain, in any case.
        tag: one of `tag_choices`.
        problem: one of `problem_choices`.
    """
    of_size = [one for one in survey.buckets if f"{one.kind.width_px} x {one.kind.height_px}" == show]
    sized = {number for one in of_size for number in one.samples}
    wanted, wanted_tag, kind = words.strip().lower(), _uncounted(tag), _uncounted(problem)
    problems = _problems(survey)
    samples = survey.samples

    def belongs(number: int) -> bool:
        if number >= len(samples):
            return show in (ALL, TROUBLED)
        return {
            TROUBLED: number in problems,
            HELD_OUT: number in survey.held_out,
            REGULAR: samples[number].subset.is_regularisation,
        }.get(show, not sized or number in sized)

    def is_shown(number: int) -> bool:
        written, name = _words(survey, number)
        has_problem = problem == ANY_PROBLEM or any(one.kind == kind for one in problems.get(number, ()))
        has_words = wanted in written.lower() or wanted in name.lower()
        return (
            has_problem and has_words and belongs(number) and (tag == ANY_TAG or _has_tag(survey, number, wanted_tag))
        )

    return [number for number in range(len(samples) + len(survey.scan.left_out)) if is_shown(number)]


def page_count(numbers: Sequence[int], per_page: int = PER_PAGE) -> int:
    """Return the number of pages for this number of pictures; at least one."""
    return max(1, -(-len(numbers) // per_page))


def cards(survey: Survey, numbers: Sequence[int], page: int, per_page: int = PER_PAGE) -> str:
    """Return a page of pictures; pages count from 1."""
    shown = itertools.islice(numbers, (page - 1) * per_page, page * per_page)
    problems = _problems(survey)
    usable = [number for number in numbers if number < len(survey.samples)]
    made = [_card(survey, one, _sentences(problems.get(one, []))) for one in shown]
    return elements.page(_FILE, "cards", made, usable, _token(survey))


def large(survey: Survey, number: int) -> str:
    """Return one picture with all that is known of it."""
    sample = survey.samples[number]
    known = [("Picture", elements.own(sample.path, 400)), ("Size", _size(sample))]
    known.append(("Seen as", elements.own(sample.caption)))
    known += [("Problem", elements.text(sentence, 400)) for sentence in _sentences(_problems(survey).get(number, []))]
    return elements.page(_FILE, "chosen", number, _pair(survey, sample, _CHOSEN_PX), known)


def tag_editor(survey: Survey, number: int) -> str:
    """Return the place for the tags of the caption that is edited, which the page's script fills, and those to add."""
    rules = survey.samples[number].subset.captions
    offered = [tag[:_TAG] for tag, _ in _tags(survey)[:_TAGS_OFFERED]]
    return elements.page(_FILE, "tag_editor", separators(rules.separator).pattern, rules.joined(["", ""]), offered)


def selection() -> str:
    """Return the buttons that select pictures, and the place for how many are selected."""
    return elements.page(_FILE, "selection", 0)


def _uncounted(choice: str) -> str:
    found = _COUNTED.fullmatch(choice)
    return found[1] if found else choice


def _tags(survey: Survey) -> list[tuple[str, int]]:
    return count_tags((sample.written, sample.subset.captions) for sample in survey.samples)


def _has_tag(survey: Survey, number: int, tag: str) -> bool:
    if number >= len(survey.samples):
        return False
    sample = survey.samples[number]
    return tag in sample.written and tag in tags_of(sample.written, sample.subset.captions)


def _words(survey: Survey, number: int) -> tuple[str, str]:
    """Return caption and file name of a picture."""
    if number < len(survey.samples):
        return survey.samples[number].written, survey.samples[number].path.name
    return "", survey.scan.left_out[number - len(survey.samples)].path.name


def _token(survey: Survey) -> str:
    """Return a text that differs where the numbers mean other pictures."""
    return hashlib.sha256("".join(sample.digest for sample in survey.samples).encode()).hexdigest()[:16]


def _card(survey: Survey, number: int, sentences: Sequence[str]) -> dict[str, Any]:
    if number >= len(survey.samples):
        return {"number": None, "name": elements.text(_words(survey, number)[1], 80), "problems": sentences}
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
        is_large = long_px > _CARD_PX
        trained = trained_picture(found, sample, sample.frames[0], min(long_px, _CHOSEN_TRAINED_PX))
        original = large_picture(sample, long_px) if is_large else whole_picture(found, sample, long_px)
    except DatasetError as error:
        return elements.piece("elements.html", "broken", str(error))
    width, height = sample.size
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
        (subset.varies_colours, "colours vary"),
        (sample.face is not None, "face"),
        (sample.mask is not None, "mask"),
        (sample.weight != 1, f"weight {sample.weight:g}"),
        (subset.is_regularisation, "regularisation"),
        (number in survey.held_out, "held out"),
        (sample.found.origin.kind == METADATA, "metadata"),
    ]
    return [words for is_so, words in marks if is_so]


def _problems(survey: Survey) -> dict[int, list[Problem]]:
    """Return what is wrong with pictures, by number."""
    found: dict[int, list[Problem]] = {}
    left_out = {one.path: number for number, one in enumerate(survey.scan.left_out, len(survey.samples))}
    for problem in survey.problems:
        number = left_out.get(problem.path) if problem.sample is None else problem.sample
        if number is not None:
            found.setdefault(number, []).append(problem)
    return found


def _sentences(problems: Sequence[Problem]) -> list[str]:
    return [f"{problem.kind}: {problem.sentence}" for problem in problems]
