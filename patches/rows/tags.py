"""The tags `<hypernet:NAME:STRENGTH>` that people write into prompts."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from ...hypernetworks.base import numbers
from ...hypernetworks.base.errors import NumberError
from ...hypernetworks.base.outside import shown
from ...hypernetworks.files import listing
from . import entries, tag_text
from .tag_text import Broken

#: A full-width colon in a composition is not the one before the strength of the whole.
_COMPOSED = frozenset("+>＋＞([{")
_BROKEN = "hnw_broken"
_PARTS = 2


def add_broken(found: MutableMapping[str, list[Any]], broken: Iterable[Broken]) -> None:
    """Add broken tags to those that the host found in a prompt, by kind, for `read` to tell of them."""
    from modules import extra_networks  # noqa: PLC0415

    for one in broken:
        tag = extra_networks.ExtraNetworkParams(items=[one.text])
        setattr(tag, _BROKEN, one)
        found.setdefault(tag_text.KIND, []).append(tag)


def read(tags: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Return the tags, as the host parsed them, that can be used, and a sentence for what cannot be in any.

    The strength of each is a number in the result, so that the host, which ends at the first wrong one, takes it.
    """
    usable, problems = [], []
    for tag in tags:
        if (broken := getattr(tag, _BROKEN, None)) is not None:
            problems.append(str(broken))
            continue
        items = _apart(tag.items or [""])
        name = f"Hypernetwork {entries.named_by(items[0])}"
        if len(items) > 1:
            try:
                items[1] = numbers.read(items[1])
            except NumberError:
                problems.append(entries.not_used(name, items[1]))
                continue
        if len(items) > _PARTS:
            rest = shown(":".join(map(str, items[_PARTS:])))
            problems.append(f"{name} has one strength, and {rest} behind it in its tag was not used.")
        read_tag = copy.copy(tag)
        read_tag.items = items[:_PARTS]
        usable.append(read_tag)
    return usable, problems


def names(prompt: str) -> Iterator[str]:
    """Yield the names in the tags of a prompt, aliases as they are."""
    text, _ = tag_text.canonical(prompt)
    for inner in tag_text.HOSTS.findall(text):
        yield _apart(inner.split(":"))[0]


def in_negative_prompt(p: Any) -> Iterator[str]:
    """Yield a sentence for each tag in a negative prompt, where the host takes all for words."""
    given = getattr(p, "negative_prompt", None) or ""
    for prompt in dict.fromkeys(given if isinstance(given, list) else [given]):
        for text in tag_text.found(str(prompt)):
            yield f"The hypernetwork tag {shown(text)} was not used: it is in the negative prompt."


def in_other_prompts(p: Any) -> Iterator[str]:
    """Yield a sentence where prompts of a batch have other tags than its first, whose tags the host takes for all."""
    size = getattr(p, "batch_size", 1)
    start = getattr(p, "iteration", 0) * size
    several = [tag_text.found(prompt) for prompt in (getattr(p, "all_prompts", None) or ())[start : start + size]]
    if any(found != several[0] for found in several):
        yield "The hypernetworks of a batch are those of its first prompt: for others, set the batch size to 1."


def _apart(items: list[Any]) -> list[Any]:
    """Return name and strength of a tag's items, also where the colon between them is a full-width one."""
    from modules import shared  # noqa: PLC0415

    name, *more = items
    if name in shared.hypernetworks:
        return [name, *more]
    name = name.strip()
    place = numbers.plain(name).rfind(":")
    if more or place < 1 or listing.find(shared.hypernetworks, name):
        return [name, *more]
    before, strength = name[:place].strip(), name[place + 1 :].strip()
    has_number = numbers.FORM.fullmatch(numbers.plain(strength))  # which may have a plus
    is_composed = _COMPOSED & set(before if has_number else name)
    return [name] if is_composed else [before, strength]
