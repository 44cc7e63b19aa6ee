"""The tags of a caption file where they stand: they change, and every other sign stays as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from ..captions import FIRST_LINE, ONE_LINE, TAG_LINES, CaptionRules, separators

_BREAKS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_ENDING = re.compile(rf"(?:\r\n|[{_BREAKS}])\Z")

_T = TypeVar("_T")
#: Takes tags, an empty text where nothing stands between separators; returns those that replace each of them.
Work = Callable[[Sequence[str]], Sequence[Sequence[str]]]


@dataclass(frozen=True)
class _Part:
    """What stands between two separators.

    Attributes:
        before: the separator in front of it.
        starts: whether that is a mark of tags to keep, or the start of the line.
        lead, tag, trail: the blanks before the tag, the tag, and the blanks after it.
    """

    before: str
    starts: bool
    lead: str
    tag: str
    trail: str

    @property
    def name(self) -> str:
        """The tag with single blanks."""
        return " ".join(self.tag.split())


class TagText:
    """The text of a caption file, taken apart into lines and tags."""

    def __init__(self, text: str, rules: CaptionRules) -> None:
        self._rules = rules
        self._text = text
        self._lines = [_parts(line, rules) for line, _ in _split(text)]
        self._endings = [ending for _, ending in _split(text)]

    def changed(self, work: Work) -> str:
        """Return the text with the tags that `work` gives; it is called for each caption of the file."""
        return self._written([tags for unit in self._captions() for tags in work([part.name for part in unit])])

    def in_order(self) -> str:
        """Return the text with its tags in alphabetical order; those that keep their places when shuffled keep them."""
        new: list[Sequence[str]] = []
        for unit in self._movable():
            kept = iter(sorted((part for part in unit if part.tag), key=lambda part: (part.name.casefold(), part.name)))
            new += [[next(kept).tag] if part.tag else [] for part in unit]
        return self._written(new)

    def added(self, tags: Sequence[str], is_first: bool) -> str:
        """Return the text with tags put before or after those of each caption that lacks them."""
        filled = [number for number, parts in enumerate(self._lines) if any(part.tag for part in parts)]
        if not filled:
            return self._separator.join(tags) + self._text
        if self._has_tag_lines:
            return self._with_lines(tags, filled[0] if is_first else filled[-1], is_first)
        if self._rules.lines == FIRST_LINE:
            filled = filled[:1]
        elif self._rules.lines != ONE_LINE:
            tags = self._lacking(tags, self._lines)
            filled = [filled[0] if is_first else filled[-1]]
        lines = list(map(_joined, self._lines))
        for number in filled:
            new = self._lacking(tags, [self._lines[number]])
            lines[number] = self._with_tags(self._lines[number], new, is_first) if new else lines[number]
        return "".join(line + ending for line, ending in zip(lines, self._endings, strict=True))

    def _captions(self) -> Iterator[Sequence[_Part]]:
        """Yield the parts of each caption: of each line where one of them is drawn, else of all lines."""
        if self._rules.lines == ONE_LINE:
            yield from self._lines
        else:
            yield [part for parts in self._lines for part in parts]

    def _movable(self) -> Iterator[Sequence[_Part]]:
        """Yield all parts, together those that may take each other's places."""
        keep = self._rules.keep_tags
        if self._has_tag_lines:
            parts = [part for parts in self._lines for part in parts]
            yield from ([part] for part in parts[:keep])
            yield parts[keep:]
            return
        for parts in self._lines:
            groups = [group for group, _ in _grouped(parts, parts)]
            if len(groups) == 1:
                yield from ([part] for part in parts[:keep])
                yield parts[keep:]
            for place, group in enumerate(groups if len(groups) > 1 else ()):
                yield from [group] if place == 1 else ([part] for part in group)

    def _written(self, new: Sequence[Sequence[str]]) -> str:
        """Return the text with the tags that replace those of each part."""
        found = iter(new)
        pieces = []
        for parts, ending in zip(self._lines, self._endings, strict=True):
            line = self._rebuilt(parts, [next(found) for _ in parts])
            is_gone = line != _joined(parts) and not line.strip()
            pieces.append("" if is_gone else line + ending)
        text = "".join(pieces)
        # A last line that went takes the line break before it along, where it had none of its own.
        return text if not pieces or pieces[-1] or self._endings[-1] else _ENDING.sub("", text)

    @property
    def _has_tag_lines(self) -> bool:
        """Whether each line is one tag."""
        return self._rules.lines == TAG_LINES and all(len(parts) == 1 for parts in self._lines)

    def _rebuilt(self, parts: Sequence[_Part], new: Sequence[Sequence[str]]) -> str:
        pieces = []
        for group, of_group in _grouped(parts, new):
            kept = [(part, tags) for part, tags in zip(group, of_group, strict=True) if tags or not part.tag]
            if not kept:
                pieces.append(group[0].before + group[0].lead)
            for place, (part, tags) in enumerate(kept):
                # What stood at the edges of a group stays there, whichever tag is at the edge now.
                front = group[0] if place == 0 else part
                trail = (group[-1] if place == len(kept) - 1 else part).trail
                text = part.tag if list(tags) == [part.name] else self._separator.join(tags)
                pieces.append(front.before + front.lead + (text if part.tag else "") + trail)
        return "".join(pieces)

    def _with_tags(self, parts: Sequence[_Part], tags: Sequence[str], is_first: bool) -> str:
        new = self._separator.join(tags)
        if is_first:
            rest = parts[0].tag + parts[0].trail + _joined(parts[1:])
            is_before_mark = not parts[0].tag and len(parts) > 1 and parts[1].starts
            return parts[0].lead + new + (self._separator if parts[0].tag else " " if is_before_mark else "") + rest
        last = parts[-1]
        if last.tag:
            return _joined(parts[:-1]) + last.before + last.lead + last.tag + self._separator + new + last.trail
        if last.starts:
            return _joined(parts[:-1]) + last.before + (last.lead or " ") + new + last.trail
        # After a separator at the end, which has no blank behind it yet.
        lead = last.lead or (" " if last.before.isascii() and self._separator.endswith(" ") else "")
        return _joined(parts[:-1]) + last.before + lead + new + last.trail

    def _with_lines(self, tags: Sequence[str], number: int, is_first: bool) -> str:
        ending = next((one for one in self._endings if one), "\n")
        new = self._lacking(tags, self._lines)
        lines = [line + end for line, end in _split(self._text)]
        if is_first:
            lines[number] = "".join(tag + ending for tag in new) + lines[number]
        else:
            own = self._endings[number]
            lines[number] = (lines[number] if own else lines[number] + ending) + ending.join(new) + own
        return "".join(lines) if new else self._text

    def _lacking(self, tags: Sequence[str], lines: Sequence[Sequence[_Part]]) -> list[str]:
        there = {part.name for parts in lines for part in parts}
        return [tag for tag in dict.fromkeys(tags) if tag not in there]

    @property
    def _separator(self) -> str:
        """The first separator between two tags, with the blanks around it."""
        for parts in self._lines:
            for part, following in pairwise(parts):
                if part.tag and following.tag and not following.starts:
                    return part.trail + following.before + following.lead
        return self._rules.joined(["", ""])


def _split(text: str) -> list[tuple[str, str]]:
    """Return the lines of a text, each with its line break."""
    found = [(line.rstrip(_BREAKS), line) for line in text.splitlines(keepends=True)]
    return [(body, line[len(body) :]) for body, line in found]


def _parts(line: str, rules: CaptionRules) -> list[_Part]:
    separator = separators(rules.separator)
    mark = separators(rules.keep_separator) if rules.keep_separator else None
    parts, start, before, starts = list[_Part](), 0, "", True
    pattern = re.compile(f"(?P<mark>{mark.pattern})|{separator.pattern}") if mark else separator
    for found in pattern.finditer(line):
        parts.append(_part(line[start : found.start()], before, starts))
        start, before, starts = found.end(), found[0], bool(mark and found["mark"])
    return [*parts, _part(line[start:], before, starts)]


def _part(text: str, before: str, starts: bool) -> _Part:
    tag = text.strip()
    lead = text[: len(text) - len(text.lstrip())]
    return _Part(before, starts, lead, tag, text[len(lead) + len(tag) :])


def _joined(parts: Sequence[_Part]) -> str:
    return "".join(part.before + part.lead + part.tag + part.trail for part in parts)


def _grouped(parts: Sequence[_Part], others: Sequence[_T]) -> Iterator[tuple[Sequence[_Part], Sequence[_T]]]:
    """Yield the parts between the marks of tags to keep, and those of another list at the same places."""
    starts = [place for place, part in enumerate(parts) if part.starts]
    for start, end in zip(starts, [*starts[1:], len(parts)], strict=True):
        yield parts[start:end], others[start:end]
