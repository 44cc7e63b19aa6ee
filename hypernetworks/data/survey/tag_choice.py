"""Which of the tags that a tagger finds probable become the caption, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .tagger import PROBABLE, TaggerSettings

#: Categories of Danbooru's tags, as `selected_tags.csv` has them.
GENERAL, CHARACTER, RATING = 0, 4, 9
#: Two letters or digits side by side: a word. A face such as `^_^` or `(o)_(o)` has none.
_WORD = re.compile(r"[^\W_]{2}")
_BRACKET = re.compile(r"([\\()\[\]])")


@dataclass(frozen=True)
class Label:
    """A tag that a tagger knows, with its category."""

    name: str
    category: int = GENERAL


def caption_of(labels: Sequence[Label], probabilities: Sequence[float], settings: TaggerSettings) -> str:
    """Return the tags whose probabilities reach their threshold, separated by commas; ratings are no tags.

    Args:
        labels: all tags in the order of the tagger.
        probabilities: one for each of them, 0 to 1.
    """
    omitted = {_key(name) for name in settings.leave_out.split(",")}
    found = []
    for label, probability in zip(labels, probabilities, strict=True):
        least = settings.character_threshold if label.category == CHARACTER else settings.threshold
        if label.category != RATING and probability >= least and _key(label.name) not in omitted:
            found.append((probability, label.name))
    if settings.tag_order == PROBABLE:
        found.sort(key=lambda one: -one[0])  # of equal ones, the first in the list stays first
    return ", ".join(_written(name, settings) for _, name in found)


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def with_blanks(tag: str) -> str:
    """Return a tag with blanks for underscores; a face stays as it is."""
    return tag.replace("_", " ") if _WORD.search(tag) else tag


def _written(name: str, settings: TaggerSettings) -> str:
    if settings.spaces:
        name = with_blanks(name)
    return _BRACKET.sub(r"\\\1", name) if settings.escape else name
