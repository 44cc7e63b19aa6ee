"""The range of a crop around a face, as people write it."""

from __future__ import annotations

from typing import Any

from ...base import numbers
from ...base.errors import NumberError, SettingsError
from ...base.outside import shown


def face_range(name: str, value: Any) -> tuple[float, float] | None:
    """Return the shorter side of a crop in sides of the face, at least and at most; None for an empty value.

    Raises:
        SettingsError: it is no such range; names the setting.
    """
    if not value:
        return None
    try:
        low, high = map(numbers.read, numbers.split(value) if isinstance(value, str) else value)
    except (NumberError, ValueError) as error:
        raise SettingsError(name, f"must be two numbers such as 2, 4, not {shown(value)}") from error
    if not 1 <= low <= high <= _MOST:
        raise SettingsError(name, f"must be two numbers from 1 to {_MOST}, the lower one first, not {shown(value)}")
    return low, high


_MOST = 100
