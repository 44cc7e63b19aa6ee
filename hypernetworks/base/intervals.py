"""Lengths of a run as users write them: `100` steps, or `10 epochs`."""

from __future__ import annotations

import re

from . import numbers
from .errors import SettingsError

#: Longer than any run; a larger number is a typing error.
_LONGEST = 1_000_000_000
_FORM = re.compile(r"(\d+(?:[.,]\d+)?)\s*(steps?|epochs?)?", re.IGNORECASE)


def counts_epochs(text: str) -> bool:
    """Tell whether a length is in epochs."""
    return "epoch" in numbers.plain(text).lower()


def parse_interval(field: str, text: str, steps_per_epoch: int) -> int:
    """Return the optimizer steps that `text` means, a number of steps or of epochs; 0 means never.

    Args:
        field: the setting, for the error.
        steps_per_epoch: optimizer steps of one pass over the dataset.

    Raises:
        SettingsError: the text is neither; names `field`.
    """
    match = _FORM.fullmatch(numbers.plain(text).strip())
    reason = numbers.comma_reason(match[1]) if match else ""
    if reason:
        raise SettingsError(field, reason)
    if match is None:
        raise SettingsError(field, f"must be a number of steps, or of epochs such as 10 epochs, not {text!r}")
    number, unit = float(match[1]), (match[2] or "steps").lower()
    if number > _LONGEST:
        raise SettingsError(field, f"must be at most {_LONGEST}, not {match[1]}")
    if unit.startswith("epoch"):
        return max(1, round(number * steps_per_epoch)) if number else 0
    if number != int(number):
        raise SettingsError(field, f"steps must be whole, not {match[1]}")
    return int(number)
