"""The tags `<hypernet:NAME:STRENGTH>` that people write into prompts."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from ...hypernetworks.base import numbers
from ...hypernetworks.base.errors import NumberError
from . import entries

#: A full-width colon in a composition is not the one before the strength of the whole.
_COMPOSED = frozenset("+>＋＞([{")


def read(tags: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Return the tags, as the host parsed them, that can be used, and a sentence for each other one.

    The strength of each is a number in the result, so that the host, which ends at the first wrong one, takes it.
    """
    usable, problems = [], []
    for tag in tags:
        items = _items(tag)
        if len(items) > 1:
            try:
                items[1] = numbers.read(items[1])
            except NumberError:
                problems.append(entries.not_used(f"Hypernetwork {entries.named_by(items[0])}", items[1]))
                continue
        read_tag = copy.copy(tag)
        read_tag.items = items
        usable.append(read_tag)
    return usable, problems


def _items(tag: Any) -> list[Any]:
    """Return name and strength of a tag, also where the colon between them is a full-width one."""
    from modules import shared  # noqa: PLC0415

    name, *more = tag.items or [""]
    if more or name in shared.hypernetworks or _COMPOSED & set(name):
        return [name, *more]
    place = numbers.plain(name).rfind(":")
    return [name, *more] if place < 1 else [name[:place].strip(), name[place + 1 :]]
