"""TOML as people write it: with full-width signs and any line ends; what is wrong in it is said with its line."""

from __future__ import annotations

import re
import sys
from typing import Any

from ..base import numbers
from ..base.outside import PAGE_QUOTES, UnfitTextError, about_quote, check_form, parsed

if sys.version_info >= (3, 11):
    import tomllib
else:  # the library from which Python's own was made
    import tomli as tomllib

_MAX_KEY_PARTS = 32
#: A dataset of a thousand folders with every option takes half of it.
_MAX_PARTS = 40_000
#: Texts and comments, an unfinished one up to its end, so that no sign is looked at twice.
_TEXTS = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|'
    r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|\'[^\'\n]*\'?|#[^\n]*',
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]+[ \t]*\.[ \t]*){{{_MAX_KEY_PARTS}}}")
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")
_AT_END = "(at end of document)"
_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")
_MAX_LINE = 1000
_MAX_SHOWN = 60

_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_BLANK = re.compile("[\u2000-\u200a\u202f\u205f]")
_LINE_END = re.compile("[\u0085\u2028\u2029]")
_QUOTE, _OTHERS = re.compile(f"[{PAGE_QUOTES}]"), re.compile(f"[^{PAGE_QUOTES}]+")
_BACKSLASH = re.compile(r'"(?!"")[^"]*\\')
_ENTRY = re.compile(r"\s*([\w.-]+)\s*([=:])\s*(.*?)\s*(?:#.*)?")
_LIST = re.compile(r"[\d.\s]+(?:,[\d.\s]+)+")
_WORDS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_NOTHING = {"", "none", "null", "nil"}


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
            raise UnfitTextError(_reason(text, str(error))) from error
    _check(plain)
    try:
        return parsed(lambda: tomllib.loads(plain, parse_float=numbers.Typed))
    except UnfitTextError as error:
        raise UnfitTextError(_reason(plain, str(error))) from error


def _check(text: str) -> None:
    """Raise UnfitTextError for what the parser should not be given."""
    bare = _TEXTS.sub("s", text)
    check_form(bare)
    if _LONG_KEY.search(bare):
        raise UnfitTextError(f"a key has more than {_MAX_KEY_PARTS} parts")
    if sum(map(bare.count, "=[.")) > _MAX_PARTS:
        raise UnfitTextError(f"it has more than {_MAX_PARTS:,} keys and tables")


def _plain(text: str) -> str:
    """Return the text with signs of ASCII outside of its texts in quotes and comments."""
    pieces, start = [], 0
    for found in _TEXTS.finditer(text):
        pieces += [_plain_piece(text[start : found.start()]), found[0]]
        start = found.end()
    return "".join([*pieces, _plain_piece(text[start:])])


def _plain_piece(piece: str) -> str:
    piece = _LINE_END.sub("\n", _BLANK.sub(" ", _UNSEEN.sub("", piece)))
    return _OTHERS.sub(lambda run: numbers.plain(run[0]), piece)


def _reason(text: str, error: str) -> str:
    """Return what to tell about an error of the parser, in the words of somebody who has never heard of TOML."""
    place, lines = _PLACE.search(error), text.rstrip().split("\n")
    if not place and not error.endswith(_AT_END):
        return error
    number = min(int(place[1]) if place else len(lines), len(lines))
    line = lines[number - 1]
    reason = ""
    if len(line) <= _MAX_LINE:
        reason = _about_signs(line) or _about_entry(line)
    if error.startswith(_TWICE):
        reason = f"{_short(line.strip())} is there for the second time"
    return f"line {number}: {reason}" if reason else error


def _about_signs(line: str) -> str:
    quote = _QUOTE.search(_TEXTS.sub("", line))
    if quote:
        return about_quote(quote[0])
    if _BACKSLASH.search(line):
        return "a backslash in double quotes begins a sign of its own; write / for it, or put the text in single quotes"
    return ""


def _about_entry(line: str) -> str:
    """Return what is wrong with a line that should be a name and its value."""
    entry = _ENTRY.fullmatch(line)
    if not entry:
        return ""
    name, equals, value = entry.groups()
    reason = numbers.comma_reason(value)
    if equals == ":":
        reason = f"write = for the colon after {_short(name)}"
    elif value.lower() in _NOTHING:
        reason = f"{_short(name)} has no value; give it one, or leave the line out"
    elif value.lower() in _WORDS:
        reason = f"write {_WORDS[value.lower()]} for {value}"
    elif not reason and _LIST.fullmatch(value):
        reason = f"put {_short(value)} in brackets, [ and ]"
    elif not reason and value[0] not in "\"'[{":
        reason = f"put {_short(value)} in single quotes"
    return reason


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
