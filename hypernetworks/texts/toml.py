"""TOML as people write it: with full-width signs and any line ends; what is wrong in it is said with its line."""

from __future__ import annotations

import re
import sys
from typing import Any

from ..base import numbers
from ..base.outside import PAGE_QUOTES, UnfitTextError, check_form, parsed
from .toml_reasons import TEXTS, reason_of

if sys.version_info >= (3, 11):
    import tomllib
else:  # the library from which Python's own was made
    import tomli as tomllib

_MAX_KEY_PARTS = 32
#: A dataset of a thousand folders with every option takes half of it.
_MAX_PARTS = 40_000
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]+[ \t]*\.[ \t]*){{{_MAX_KEY_PARTS}}}")
_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_BLANK = re.compile("[\u2000-\u200a\u202f\u205f]")
_LINE_END = re.compile("[\u0085\u2028\u2029]")
#: Quotes of web pages stay, to be named: which of them ends a text cannot be told.
_OTHERS = re.compile(f"[^{PAGE_QUOTES}]+")


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Outside of texts in quotes, full-width signs and digits count as those of ASCII, and marks that nobody sees as
    nothing.

    Raises:
        UnfitTextError: it is none, or has excessive nesting, keys or numbers; the message names the line.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _check(text)
    try:
        return parsed(lambda: tomllib.loads(text, parse_float=numbers.Typed))
    except UnfitTextError as error:
        plain = _plain(text)
        if plain == text:
            raise UnfitTextError(reason_of(text, str(error))) from error
    _check(plain)
    try:
        return parsed(lambda: tomllib.loads(plain, parse_float=numbers.Typed))
    except UnfitTextError as error:
        raise UnfitTextError(reason_of(plain, str(error))) from error


def _check(text: str) -> None:
    """Raise UnfitTextError for what the parser should not be given."""
    bare = TEXTS.sub("s", text)
    check_form(bare)
    if _LONG_KEY.search(bare):
        raise UnfitTextError(f"a key has more than {_MAX_KEY_PARTS} parts")
    if sum(map(bare.count, "=[.")) > _MAX_PARTS:
        raise UnfitTextError(f"it has more than {_MAX_PARTS:,} keys and tables")


def _plain(text: str) -> str:
    """Return the text with signs of ASCII outside of its texts in quotes and comments."""
    pieces, start = [], 0
    for found in TEXTS.finditer(text):
        pieces += [_plain_piece(text[start : found.start()]), found[0]]
        start = found.end()
    return "".join([*pieces, _plain_piece(text[start:])])


def _plain_piece(piece: str) -> str:
    piece = _LINE_END.sub("\n", _BLANK.sub(" ", _UNSEEN.sub("", piece)))
    return _OTHERS.sub(lambda run: numbers.plain(run[0]), piece)
