"""Options that only some merge methods have, each declared once: code, forms, HTTP API and recipes derive from it.

An option of a single method is in that method's file; here are those that several share.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from ..base.options import setting

MAX_SEED = 2**63 - 1
_MAX_SHOWN_SEED = 2**53 - 1  # a page cannot hold a larger number


@dataclasses.dataclass(frozen=True)
class OwnOption:
    """An option of a merge method.

    Attributes:
        name: its name in code, forms and recipes.
        setting: its default, description and limits, as `setting` returns them.
        accepts: tells whether a value given in code can be used.
        wanted: the accepted values in words.
    """

    name: str
    setting: dataclasses.Field[Any]
    accepts: Callable[[Any], bool]
    wanted: str

    @property
    def default(self) -> Any:
        """The default; its type is that of every value."""
        return self.setting.default


def is_number(value: Any) -> bool:
    """Tell whether `value` is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Tell whether `value` is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


DENSITY = OwnOption(
    "density",
    setting(0.5, "Density", "The share of each difference that is kept, above 0.", above=0, maximum=1),
    lambda value: is_number(value) and 0 < value <= 1,
    "a number above 0 and at most 1",
)
SEED = OwnOption(
    "seed",
    setting(0, "Seed", "Decides which part is dropped.", minimum=0, maximum=_MAX_SHOWN_SEED),
    lambda value: is_whole(value) and 0 <= value <= MAX_SEED,
    f"a whole number from 0 to {MAX_SEED}",
)
