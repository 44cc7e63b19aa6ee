"""What a file can be in place of a hypernetwork, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        what: such as "a LoRA"; it follows "it is".
        advice: what to do with such a file; it ends a sentence.
    """

    what: str
    advice: str

    def sentence(self, name: str) -> str:
        """Return what to tell about such a file, without a full stop."""
        return f"{name}: it is {self.what}, not a hypernetwork; {self.advice}"


class Rule:
    """The names by which a kind of weights is known.

    Args:
        patterns: any of these must be found among the names, which stand one a line.
        besides: this too must be found.
    """

    def __init__(self, kind: Kind, *patterns: str, besides: str = "") -> None:
        self.kind = kind
        self._any = re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.MULTILINE)
        self._besides = re.compile(besides, re.MULTILINE)

    def fits(self, names: str) -> bool:
        """Tell whether a file with these names is of the kind."""
        return self._any.search(names) is not None and self._besides.search(names) is not None
