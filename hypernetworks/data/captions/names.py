"""The words of a picture's file name, for pictures without a caption file."""

from __future__ import annotations

import importlib
import re
from typing import Any

from ...base.errors import SettingsError
from ...base.names import is_shown

_REGEX_S = 1.0
#: Numbers that stand by themselves: the WebUI's preprocessing writes `00001-0-NAME`, and `1girl` is a word.
_LEADING_NUMBERS = re.compile(r"(?:[-\s_＿－–—]|\d+(?=[-\s_＿－–—]|$))+")


def words(stem: str, regex: str, join: str) -> str:
    """Return the words of a file name without its leading numbers, in one line, and without what no text can hold.

    Args:
        regex, join: as in the WebUI's settings: selects parts of the name, and joins them; without a regex the words
            of the name count.

    Raises:
        SettingsError: the regex is none, or takes too long.
    """
    stem = " ".join("".join(sign if is_shown(sign) else " " for sign in stem).split())
    found = _LEADING_NUMBERS.match(stem)
    name = stem[found.end() :] if found else stem
    if not regex:
        return name.replace("_", " ").strip()
    # If the regex has groups, only what they match counts, as in the WebUI.
    matches = (match.groups() or (match[0],) for match in _matches(regex, name))
    return join.join(part for parts in matches for part in parts if part).strip()


def _matches(pattern: str, name: str) -> list[Any]:
    """Return the matches; raises SettingsError for a regex that tries so many ways that it would not end."""
    try:
        # Not `re`, which holds up the whole process for as long as it takes; transformers brings it along.
        module: Any = importlib.import_module("regex")
    except ImportError:
        return list(re.finditer(pattern, name))
    try:
        return list(module.finditer(pattern, name, timeout=_REGEX_S, concurrent=True))
    except TimeoutError as error:
        raise SettingsError("data.filename_regex", f"takes too long on {name}; write it more simply") from error
    except (module.error, RecursionError) as error:
        raise SettingsError("data.filename_regex", f"is no regular expression: {error}") from error
