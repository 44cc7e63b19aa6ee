"""How people write `<hypernet:NAME:STRENGTH>` into prompts, in the one form that the host reads.

The host takes the text between `<word:` and the next `>`, wherever that is, and everything else for words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...hypernetworks.base import numbers
from ...hypernetworks.base.outside import shown

KIND = "hypernet"
_OPEN, _CLOSE = "<《〈", ">》〉"
_GAP = r"[^\S\n]*"
#: Texts are looked at as `numbers.plain` has them, with ASCII for full-width signs, each in its place.
_TAG = re.compile(rf"(?:[{_OPEN}]|&lt;){_GAP}{KIND}(?:work)?(?:s(?={_GAP}:))?(?!\w)(?:{_GAP}(:))?", re.IGNORECASE)
#: Where no tag goes on: at the start of another one, or of a line.
_OTHER = re.compile(rf"(?:[{_OPEN}]|&lt;)\s*(?:\w+\s*:|{KIND})|\n", re.IGNORECASE)
_END = re.compile(rf"[{_CLOSE}]|&gt;", re.IGNORECASE)
#: Of a tag without an end, what certainly belongs to it.
_HEAD = re.compile(r"[^\s,<]*")
_BARE = re.compile(rf"(?:[(\[{{【「]\s*{KIND}(?:work)?|(?<!\w){KIND})\s*:\s*[^\s,]+", re.IGNORECASE)
_OTHER_TAG = re.compile(r"<\w+:[^>]+>")
#: The inside of a tag in the host's form.
HOSTS = re.compile(rf"<{KIND}:([^>]+)>")
_FORM = "a tag has the form <hypernet:NAME:STRENGTH>"


@dataclass(frozen=True)
class Broken:
    """Something in a prompt that is meant as a tag and is none.

    Attributes:
        text: as it was typed.
        reason: why it cannot be used.
    """

    text: str
    reason: str

    def __str__(self) -> str:
        """Return the sentence for the person who typed it."""
        return f"The hypernetwork tag {shown(self.text)} was not used: {self.reason}."


def canonical(prompt: str) -> tuple[str, list[Broken]]:
    """Return a prompt that has every tag at its start in the host's form, and what in it is broken.

    Read are tags in any case, with full-width or Chinese brackets and colons, with `hypernetwork` for `hypernet`, and
    with blanks inside. They come first, as a tag without an end, of whatever kind, takes the next one for its end. A
    broken tag is cut out; all else stays as it is.
    """
    plain = numbers.plain(prompt)
    if KIND not in plain.lower():
        return prompt, []
    tags, pieces, broken, done = [], [], [], 0
    for match in _TAG.finditer(plain):
        if match.start() < done:
            continue
        pieces.append(prompt[done : match.start()])
        inner, done, reason = _inner(prompt, plain, match)
        if reason:
            broken.append(Broken(prompt[match.start() : done], reason))
        else:
            tags.append(f"<{KIND}:{inner}>")
    words = "".join([*pieces, prompt[done:]])
    bare = _BARE.finditer(numbers.plain(_OTHER_TAG.sub(lambda tag: " " * len(tag[0]), words)))
    broken += [Broken(words[found.start() : found.end()], _FORM) for found in bare]
    return "".join([*tags, words]), broken


def found(prompt: str) -> list[str]:
    """Return the tags in a prompt as they were typed, whole and broken ones."""
    plain = numbers.plain(prompt)
    return [prompt[match.start() : _inner(prompt, plain, match)[1]] for match in _TAG.finditer(plain)]


def _inner(prompt: str, plain: str, match: re.Match[str]) -> tuple[str, int, str]:
    """Return what stands in a tag, where it ends, and what is wrong with it, else an empty text."""
    start = match.end()
    other = _OTHER.search(plain, start)
    limit = other.start() if other else len(plain)
    end = prompt.find(">", start, limit) if prompt[match.start()] == "<" else -1
    close = plain[end : end + 1] if end >= 0 else ""
    if end < 0 and (found := _END.search(plain, start, limit)):
        end, close = found.start(), found[0]
    if end < 0:
        head = _HEAD.match(plain, start, limit)
        return "", head.end() if head else start, "it has no end, a >"
    inner = prompt[start:end].strip()
    if not match[1]:
        return "", end + len(close), _FORM
    if not inner or inner[0] in ":：":
        return "", end + len(close), "it has no name in it"
    return inner, end + len(close), ""
