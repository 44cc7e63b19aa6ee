"""Cleaning of tags and captions of metadata, by the rules that kohya's script of that purpose is documented with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...base.options import Settings, setting
from ..captions import CaptionRules
from .tag_choice import with_blanks

#: Tags that say that there is more than one person.
_SEVERAL = re.compile(r"(?:[2-9]|\d\d)\+?(?:girl|boy|other)s?|6\+(?:girls|boys|others)|multiple (?:girls|boys|others)")
_ONE = re.compile(r"1(?:girl|boy|other)")
_SOLO = "solo"
#: What a tag says of one person, each kind by itself: with several people, tags of one kind cannot be told apart.
_OF_PERSON = {
    "hair length": re.compile(r"(?:very |absurdly )?(?:long|short|medium) hair"),
    "hair cut": re.compile(r"(?:bob|hime) cut"),
    "hair": re.compile(r"[\w-]+ hair"),
    "eyes": re.compile(r"[\w-]+ eyes"),
    "sleeves": re.compile(r"[\w-]+ sleeves|sleeveless"),
    "hair style": re.compile(r"ponytail|ahoge|twintails|sidelocks|two side up|two tails|(?:[\w -]+ )?(?:bun|braid)s?"),
}
_RATING = re.compile(r"rating ?:.*|rating")
_LATIN = re.compile(r"[A-Za-z]+")
_REPEATED = re.compile(r"\b(\w+(?: \w+){0,3})(?:(?: and|,)? \1\b)+", re.IGNORECASE)
_RULES = CaptionRules()


@dataclass(frozen=True)
class CleaningSettings(Settings):
    """Which rules clean tags and captions."""

    blanks: bool = setting(
        True, "Blanks for underscores", "Writes “long hair” for “long_hair”; faces such as ^_^ stay."
    )
    ratings: bool = setting(True, "Leave out ratings", "Such as rating:safe.")
    people: bool = setting(
        True,
        "Leave out what cannot be told apart",
        "Where there are several people, their colours of hair and eyes, cuts, styles and sleeves, if there is more "
        "than one of a kind.",
    )
    solo: bool = setting(
        True, "Leave out solo beside 1girl", "Also beside 1boy and 1other, and where there are several people."
    )
    general: bool = setting(True, "Leave out general tags", "Such as dress where there is white dress.")
    duplicates: bool = setting(
        True, "Leave out repetitions", "Of tags, and of words in sentences such as “a girl and a girl”."
    )
    shortest_tag: int = setting(2, "Shortest tag", "Tags of fewer Latin letters are left out.", minimum=0, maximum=100)
    shortest_caption: int = setting(
        0, "Shortest caption", "Captions of fewer words are left out; 0 keeps all.", minimum=0, maximum=1000
    )


#: Takes tags and returns those that stay.
_Rule = Callable[[Sequence[str]], list[str]]


def cleaned_tags(text: str, settings: CleaningSettings, removed: Counter[str] | None = None) -> str:
    """Return tags, separated by commas, after all rules; each rule sees what those before it left.

    Args:
        removed: counts what each rule took out, by its name.
    """
    tags = _RULES.tags(" ".join(text.split()))
    if settings.blanks:
        tags = [" ".join(with_blanks(tag).split()) for tag in tags]
    for name, rule in _rules(settings).items():
        kept = rule(tags)
        if removed is not None:
            removed[name] += len(tags) - len(kept)
        tags = kept
    return _RULES.joined(tags)


def cleaned_caption(text: str, settings: CleaningSettings, removed: Counter[str] | None = None) -> str:
    """Return a sentence with single blanks and nothing said twice in a row; empty where it is too short."""
    counts = removed if removed is not None else Counter[str]()
    lines = []
    for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
        whole = _once(line) if settings.duplicates else line
        counts["duplicates"] += whole != line
        is_kept = len(whole.split()) >= settings.shortest_caption
        counts["shortest_caption"] += not is_kept
        lines += [whole] if is_kept else []
    return "\n".join(lines)


def cleaned(
    entry: Mapping[str, Any], settings: CleaningSettings, removed: Counter[str] | None = None
) -> dict[str, Any]:
    """Return an entry of metadata with clean tags and caption; what else it has stays, and what is empty goes."""
    new = dict(entry)
    for key, clean in (("caption", cleaned_caption), ("tags", cleaned_tags)):
        if key in new:
            new[key] = clean(new[key], settings, removed)
            if not new[key]:
                del new[key]
    return new


def _rules(settings: CleaningSettings) -> dict[str, _Rule]:
    """Return the rules that leave tags out, by the names of their settings, in their order."""
    rules: dict[str, _Rule] = {
        "ratings": lambda tags: [tag for tag in tags if not _RATING.fullmatch(tag)],
        "duplicates": _different,
        "people": _without_people,
        "solo": _without_solo,
        "general": _without_general,
        "shortest_tag": lambda tags: [tag for tag in tags if not _is_shorter(tag, settings.shortest_tag)],
    }
    return {name: rule for name, rule in rules.items() if getattr(settings, name)}


def _different(tags: Sequence[str]) -> list[str]:
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(tag.casefold(), tag)
    return list(found.values())


def _are_several(tags: Iterable[str]) -> bool:
    found = list(tags)
    return any(_SEVERAL.fullmatch(tag) for tag in found) or len([1 for tag in found if _ONE.fullmatch(tag)]) > 1


def _without_people(tags: Sequence[str]) -> list[str]:
    if not _are_several(tags):
        return list(tags)
    kinds = {tag: _kind(tag) for tag in tags}
    counts = Counter(kinds.values())
    return [tag for tag in tags if not kinds[tag] or counts[kinds[tag]] == 1]


def _kind(tag: str) -> str:
    """Return what a tag says of one person; empty where it says nothing of one."""
    return next((name for name, pattern in _OF_PERSON.items() if pattern.fullmatch(tag)), "")


def _without_solo(tags: Sequence[str]) -> list[str]:
    is_told = _are_several(tags) or any(_ONE.fullmatch(tag) for tag in tags)
    return [tag for tag in tags if tag != _SOLO or not is_told]


def _without_general(tags: Sequence[str]) -> list[str]:
    """Leave out each tag that another one ends with: that says the same and more."""
    ends = {" ".join(words[start:]) for tag in tags for words in [tag.split(" ")] for start in range(1, len(words))}
    return [tag for tag in tags if tag not in ends]


def _is_shorter(tag: str, letters: int) -> bool:
    """Tell whether a tag has fewer letters; in other scripts one sign is a word."""
    return len(tag) < letters and bool(_LATIN.fullmatch(tag))


def _once(line: str) -> str:
    """Return a sentence in which nothing is said twice in a row."""
    while (shorter := _REPEATED.sub(r"\1", line)) != line:
        line = shorter
    return line
