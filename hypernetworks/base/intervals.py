"""Lengths of a run as users write them: `100` steps, or `10 epochs`."""

from __future__ import annotations

import re

from . import numbers
from .errors import NumberError, SettingsError
from .outside import shown

#: Longer than any run; a larger number is a typing error.
_LONGEST = 1_000_000_000
_EPOCHS = ("epoch", "エポック", "轮")
_UNIT = re.compile(r"(?:steps?|ステップ|步|epochs?|エポック|轮)$", re.IGNORECASE)


def counts_epochs(length: int | str) -> bool:
    """Tell whether a length, or one in a list, is in epochs."""
    lower = numbers.bare(str(length)).lower()
    return any(unit in lower for unit in _EPOCHS)


def has_unit(text: str) -> bool:
    """Tell whether a text ends with a unit of lengths."""
    return bool(_parts(text)[1])


def parse_interval(field: str, length: int | str, steps_per_epoch: int) -> int:
    """Return the optimizer steps that a length means, a number of steps or of epochs; 0 means never.

    Args:
        field: the setting, for the error.
        steps_per_epoch: optimizer steps of one pass over the dataset.

    Raises:
        SettingsError: it is neither; names `field`.
    """
    text = str(length)
    written, unit = _parts(text)
    is_epochs = counts_epochs(unit)
    try:
        number = numbers.read(written)
        if not is_epochs and number.is_integer():
            number = numbers.read_whole(written)
    except NumberError as error:
        reason = f"must be a number of steps, or of epochs such as 10 epochs, not {shown(text) if text else 'empty'}"
        raise SettingsError(field, numbers.comma_reason(written) or reason) from error
    if number > _LONGEST:
        raise SettingsError(field, f"must be at most {_LONGEST}, not {written}")
    if number < 0:
        raise SettingsError(field, f"must be at least 0, not {written}")
    if is_epochs:
        return max(1, round(number * steps_per_epoch)) if number else 0
    if number != int(number):
        raise SettingsError(field, f"must be a whole number of steps, not {written}")
    return int(number)


def _parts(text: str) -> tuple[str, str]:
    """Return what stands before the unit of a length, and the unit; empty where there is none."""
    bare = numbers.bare(text)
    found = _UNIT.search(bare)
    return (bare[: found.start()].rstrip(), found[0]) if found else (bare, "")
