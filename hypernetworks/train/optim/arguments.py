"""Options of a class as a text such as `weight_decay=0.01, betas=(0.9, 0.99)`: plain values, nothing is executed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection
from typing import Any

from ...base import numbers
from ...base.errors import NumberError, SettingsError
from ...base.outside import shown

_MOST_CHARACTERS = 2000


def parse_arguments(text: str) -> dict[str, Any]:
    """Return the options in a text such as `weight_decay=0.01, betas=(0.9, 0.99)`.

    Raises:
        SettingsError: the text has another form; names `arguments`.
    """
    if len(text) > _MOST_CHARACTERS:
        raise SettingsError("arguments", f"is longer than {_MOST_CHARACTERS} characters")
    wanted = f"must have the form key=value, key=value, not {shown(text)}"
    plain = numbers.plain_outside_quotes(text)
    try:
        numbers.check_pairs(plain)
        call = ast.parse(f"f({plain})", mode="eval").body
    except NumberError as error:
        raise SettingsError("arguments", str(error)) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SettingsError("arguments", wanted) from None
    is_call = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args
    if not isinstance(call, ast.Call) or not is_call or any(keyword.arg is None for keyword in call.keywords):
        raise SettingsError("arguments", wanted)
    values: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg in values:
            raise SettingsError("arguments", f"{keyword.arg} is there twice")
        try:
            values[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, RecursionError, MemoryError):
            raise SettingsError(
                "arguments",
                f"the value of {keyword.arg} must be a number, true or false as Python writes them, or a list of "
                "numbers",
            ) from None
    return values


def check_known(name: str, cls: type, values: Collection[str], ours: Collection[str]) -> None:
    """Raise SettingsError, which names `arguments`, for an option that the class `name` lacks.

    Args:
        ours: what the class takes and is not for the user to set.
    """
    known = [key for key in inspect.signature(cls).parameters if key not in ours]
    for key in values:
        if key not in known:
            raise SettingsError("arguments", f"{name} has no option {key}; it has {', '.join(known)}")
