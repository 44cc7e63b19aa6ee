"""Captions of the demo's pictures, the words that name parts of a style, and the share kept out of training."""

from __future__ import annotations

import itertools

import numpy as np

from .draw import PLAIN, Style, Subject
from .palette import BACKGROUNDS, COLOURS, SHAPES

HELD_OUT_SEED = 24
HELD_OUT_COUNT = 16

PARTIAL_STYLES = (
    Style(outline=True),
    Style(hatching=True),
    Style(night=True),
    Style(outline=True, hatching=True),
    Style(outline=True, night=True),
    Style(hatching=True, night=True),
)
"""What the base model learns besides plain pictures; all three parts at once it never sees. Looks it learns later."""


def caption(subject: Subject, style: Style = PLAIN) -> str:
    """Return the caption, such as "a red circle on a white background, with a thick outline, at night"."""
    article = "an" if subject.colour[0] in "aeiou" else "a"
    text = f"{article} {subject.colour} {subject.shape} on a {subject.background} background"
    words = ((style.outline, "with a thick outline"), (style.hatching, "hatched"), (style.night, "at night"))
    return ", ".join([text, *(word for used, word in words if used)])


def short_captions(subject: Subject) -> tuple[str, str]:
    """Return two shorter ways to ask for a subject, so that a prompt need not be written in one fixed form."""
    article = "an" if subject.colour[0] in "aeiou" else "a"
    return (
        f"{subject.colour} {subject.shape}, {subject.background} background",
        f"{article} {subject.colour} {subject.shape}",
    )


def subjects() -> list[Subject]:
    """Return all 128 subjects, in a fixed order."""
    return [Subject(*names) for names in itertools.product(COLOURS, SHAPES, BACKGROUNDS)]


def balanced(seed: int) -> list[Subject]:
    """Return 16 random subjects in which each colour occurs twice, each shape and each background four times."""
    rng = np.random.default_rng(seed)
    colours = list(COLOURS) * 2
    backgrounds = rng.permutation(list(BACKGROUNDS) * 4)
    shapes = [*rng.permutation(list(SHAPES) * 2), *rng.permutation(list(SHAPES) * 2)]
    names = zip(colours, shapes, backgrounds, strict=True)
    return [Subject(colour, str(shape), str(background)) for colour, shape, background in names]


def held_out() -> list[Subject]:
    """Return the 16 subjects that no training picture shows."""
    return balanced(HELD_OUT_SEED)


def for_training() -> list[Subject]:
    """Return the 112 subjects that training pictures may show."""
    kept_out = set(held_out())
    return [subject for subject in subjects() if subject not in kept_out]


def parse(text: str) -> Subject:
    """Return the subject that a caption names; raises ValueError where a colour, shape or background is missing."""
    words = text.replace(",", " ").split()
    found = [[name for name in names if name in words] for names in (COLOURS, SHAPES, BACKGROUNDS)]
    if not all(found):
        raise ValueError(f"caption: {text!r} does not name a colour, a shape and a background.")
    colour, shape, background = (names[0] for names in found)
    return Subject(colour, shape, background)
