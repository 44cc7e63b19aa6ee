"""Tags of captions: counted, added, removed and replaced, with the rest of a caption as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.options import Settings, setting
from ..captions import CaptionRules, separators
from .tag_text import TagText

ADD, REMOVE, REPLACE, UNIQUE, SORT = ACTIONS = ("add", "remove", "replace", "remove duplicates", "sort")
FRONT, END = "the front", "the end"


@dataclass(frozen=True)
class TagSettings(Settings):
    """A change of the tags of all captions."""

    action: str = setting(
        ADD,
        "Change of tags",
        "The change that is made in every caption of the dataset; all else in the files stays as it is.",
        choices=ACTIONS,
    )
    tag: str = setting("", "Tags", "One tag, or several with the separator between them.")
    replacement: str = setting("", "New tags", "The tags that replace the old one.")
    place: str = setting(FRONT, "Add at", "Where new tags go.", choices=(FRONT, END))

    @property
    def title(self) -> str:
        """The change in a few words, for the history."""
        if self.action == REPLACE:
            return f"replace {self.tag} by {self.replacement}"
        if self.action in (UNIQUE, SORT):
            return {UNIQUE: "remove duplicate tags", SORT: "sort the tags"}[self.action]
        return f"{self.action} {self.tag}"

    def change(self, rules: CaptionRules) -> Callable[[str], str]:
        """Return the function that changes the text of a caption file, which is written after `rules`.

        Raises:
            SettingsError: a tag is missing.
        """
        if self.action == SORT:
            return lambda text: TagText(text, rules).in_order()
        if self.action == UNIQUE:
            return lambda text: TagText(text, rules).changed(_unique)
        tags, new = rules.tags(self.tag), rules.tags(self.replacement)
        if not tags:
            raise SettingsError("tag", f"name the tag to {self.action}")
        if self.action == ADD:
            return lambda text: TagText(text, rules).added(tags, self.place == FRONT)
        if self.action == REMOVE:
            return lambda text: TagText(text, rules).changed(lambda found: [[] if t in tags else [t] for t in found])
        if not new:
            raise SettingsError("replacement", "name the tag that replaces it")
        if len(tags) > 1:
            raise SettingsError("tag", "name one tag to replace")
        return lambda text: TagText(text, rules).changed(lambda found: _replaced(found, tags[0], new))


def tags_of(caption: str, rules: CaptionRules) -> list[str]:
    """Return the tags of a caption, in order."""
    return [tag for groups in _lines(caption, rules) for group in groups for tag in group]


def count_tags(captions: Iterable[tuple[str, CaptionRules]]) -> list[tuple[str, int]]:
    """Return the tags with the number of captions that have each, the most frequent first."""
    counts: Counter[str] = Counter()
    for caption, rules in captions:
        counts.update(set(tags_of(caption, rules)))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _lines(caption: str, rules: CaptionRules) -> list[list[list[str]]]:
    """Return for each line the tags between the separators that mark tags to keep."""
    mark = separators(rules.keep_separator) if rules.keep_separator else None
    lines = (mark.split(line) if mark else [line] for line in caption.split("\n"))
    return [[rules.tags(part) for part in line] for line in lines]


def _unique(found: Sequence[str]) -> list[list[str]]:
    first = {tag: place for place, tag in reversed(list(enumerate(found)))}
    return [[tag] if first[tag] == place else [] for place, tag in enumerate(found)]


def _replaced(found: Sequence[str], tag: str, new: Sequence[str]) -> list[list[str]]:
    """Return the tags with `new` in place of `tag`; a tag that is there already is not added."""
    there = {one for one in found if one != tag}
    fresh = [name for name in dict.fromkeys(new) if name not in there]
    return [fresh if one == tag else [one] for one in found]
