"""Tags of captions: counted, added, removed and replaced, with the rest of a caption as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...base.errors import SettingsError
from ...base.options import Settings, setting
from ..captions import CaptionRules

ADD, REMOVE, REPLACE = "add", "remove", "replace"
FRONT, END = "the front", "the end"


@dataclass(frozen=True)
class TagSettings(Settings):
    """A change of the tags of all captions."""

    action: str = setting(
        ADD,
        "Change of tags",
        "The change that is made in every caption of the dataset.",
        choices=(ADD, REMOVE, REPLACE),
    )
    tag: str = setting("", "Tags", "One tag, or several with the separator between them.")
    replacement: str = setting("", "New tags", "The tags that replace the old one.")
    place: str = setting(FRONT, "Add at", "Where new tags go.", choices=(FRONT, END))

    @property
    def title(self) -> str:
        """The change in a few words, for the history."""
        if self.action == REPLACE:
            return f"replace {self.tag} by {self.replacement}"
        return f"{self.action} {self.tag}"

    def change(self, rules: CaptionRules) -> Callable[[str], str]:
        """Return the function that changes a caption written after `rules`.

        Raises:
            SettingsError: a tag is missing.
        """
        tags, new = rules.tags(self.tag), rules.tags(self.replacement)
        if not tags:
            raise SettingsError("tag", f"name the tag to {self.action}")
        if self.action == REPLACE and not new:
            raise SettingsError("replacement", "name the tag that replaces it")
        if self.action == REPLACE and len(tags) > 1:
            raise SettingsError("tag", "name one tag to replace")

        def work(groups: list[list[str]]) -> list[list[str]]:
            if self.action == ADD:
                return _added(groups, tags, self.place)
            if self.action == REMOVE:
                return [[tag for tag in group if tag not in tags] for group in groups]
            return _replaced(groups, tags[0], new)

        def changed(caption: str) -> str:
            before = _lines(caption, rules)
            after = [work(groups) for groups in before]
            # A caption without the tag keeps even its blanks.
            return caption if after == before else _text(after, rules)

        return changed


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
    lines = (line.split(rules.keep_separator) if rules.keep_separator else [line] for line in caption.split("\n"))
    return [[rules.tags(part) for part in line] for line in lines]


def _text(lines: Sequence[Sequence[list[str]]], rules: CaptionRules) -> str:
    mark = f" {rules.keep_separator} "
    return "\n".join(mark.join(rules.joined(group) for group in groups).strip() for groups in lines)


def _added(groups: list[list[str]], tags: Sequence[str], place: str) -> list[list[str]]:
    there = {tag for group in groups for tag in group}
    new = [tag for tag in dict.fromkeys(tags) if tag not in there]
    if place == FRONT:
        return [new + groups[0], *groups[1:]]
    return [*groups[:-1], groups[-1] + new]


def _replaced(groups: Sequence[list[str]], tag: str, new: Sequence[str]) -> list[list[str]]:
    """Return the groups with `new` in place of `tag`; a tag that is there already is not added twice."""
    if not any(tag in group for group in groups):
        return [*groups]
    seen = {one for group in groups for one in group if one != tag}
    result = []
    for group in groups:
        found: list[str] = []
        for one in group:
            if one != tag:
                found.append(one)
                continue
            fresh = [name for name in new if name not in seen]
            seen.update(fresh)
            found += fresh
        result.append(found)
    return result
