"""Repeats: how often pictures are shown in an epoch, as the names of their folders give it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..base import numbers
from ..base.errors import SettingsError
from ..base.names import is_shown, printable
from ..base.outside import shown_path

if TYPE_CHECKING:
    from .subsets import Subset

MOST_REPEATS = 10_000
#: An epoch is dealt out in memory; real ones are a hundredth of it.
MOST_SHOWN = 1_000_000
#: Why a folder is passed over.
ZERO, UNNUMBERED = "a folder name with 0 repeats", "a place outside of the folders with repeats"
_NAME = re.compile(r"\s*([+-]?\d[\d.,]*)\s*_(.*)", re.DOTALL)
_SHOWN = 3
_WHOLE = re.compile(r"[+-]?\d+")


class NamedRepeats(NamedTuple):
    """What the name of a folder such as `10_sks cat` says: repeats, and class tokens."""

    repeats: int
    class_tokens: str


def named_repeats(name: str) -> NamedRepeats | None:
    """Return what the name of a folder says of its repeats; None where it says nothing.

    The number may be typed with full-width digits, and with blanks around it.

    Raises:
        ValueError: it begins with a number that is none of repeats; the message tells why.
    """
    # Each character becomes one, so that the rest can be taken from the name as it is.
    found = _NAME.fullmatch(numbers.plain(name))
    if found is None:
        return None
    number = found[1]
    if not _WHOLE.fullmatch(number):
        raise ValueError(f"the repeats in its name must be a whole number, not {number}")
    if not 0 <= int(number) <= MOST_REPEATS:
        raise ValueError(f"the repeats in its name must be from 0 to {MOST_REPEATS:,}, not {number}")
    return NamedRepeats(int(number), _words(name[found.start(2) :]))


def not_counted(folder: Path, pictures: Iterable[Path]) -> Iterator[str]:
    """Yield a sentence where folders in `folder` have names with repeats, which nobody asked to count."""
    inner = dict.fromkeys(path.relative_to(folder).parts[0] for path in pictures if path.parent != folder)
    numbered = [printable(name) for name in inner if _NAME.fullmatch(numbers.plain(name))]
    if numbered:
        more = f" and {len(numbered) - _SHOWN:,} more" if len(numbered) > _SHOWN else ""
        names = f"{', '.join(numbered[:_SHOWN])}{more}"
        yield f"the numbers in {names} are not counted as repeats; data.folder_repeats is off"


def _words(name: str) -> str:
    """Return a part of a name as a text in one line, without what no text can hold."""
    return " ".join("".join(sign if is_shown(sign) else " " for sign in name.replace("_", " ")).split())


def check_shown(subsets: Iterable[tuple[Subset, int]]) -> None:
    """Check how often pictures are shown in an epoch.

    Args:
        subsets: each with the number of its pictures.

    Raises:
        SettingsError: one of them repeats its pictures too often, or all together are too many; names a folder.
    """
    shown, most = 0, None
    for subset, pictures in subsets:
        if subset.repeats > MOST_REPEATS:
            raise SettingsError(
                f"data.{subset.setting}",
                f"{shown_path(subset.folder)} would be repeated {subset.repeats:,} times; at most are {MOST_REPEATS:,}",
            )
        if subset.is_taught:
            shown += subset.repeats * pictures
            most = subset if most is None or subset.repeats > most.repeats else most
    if most is not None and shown > MOST_SHOWN:
        raise SettingsError(
            f"data.{most.setting}",
            f"an epoch would show {shown:,} pictures, at most are {MOST_SHOWN:,}; "
            f"{shown_path(most.folder)} has {most.repeats:,} repeats",
        )
