"""Why a text is no TOML, in the words of somebody who has never heard of it."""

from __future__ import annotations

import re

from ..base import numbers
from ..base.outside import PAGE_QUOTES, about_quote

#: Texts and comments, an unfinished one up to its end, so that no sign is looked at twice.
TEXTS = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|'
    r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|\'[^\'\n]*\'?|#[^\n]*',
    re.DOTALL,
)
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")
_OPEN = ("Unclosed array", "Unclosed inline table")
_MAX_LINE = 1000
_MAX_SHOWN = 60

_QUOTE = re.compile(f"[{PAGE_QUOTES}]")
_UNSEEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BACKSLASH = re.compile(r'"(?!"")[^"]*\\')
#: An apostrophe that has another behind it may be a text in a list.
_REMARK = re.compile(r"\s*(//|;|--|%|/\*|'(?![^']*'))")
_REMARK_BEHIND = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[\w.+-]+)\s+(//|;|--|/\*).*")
_SECTION = re.compile(r"\s*[\[({<]?\s*([A-Za-z_][\w.]*)\s*[\])}>]?\s*(?:#.*)?")
_ENTRY = re.compile(r"\s*([\w.-]+)\s*([=:])\s*(.*?)\s*(?:#.*)?")
_CLOSED = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[\w.+-]+|\[[^\[\]]*\])\s*([,;])")
_INNER_QUOTE = re.compile(r"(['\"])(?!\1)[^'\"]*\1\s*\S.*")
_LIST = re.compile(r"[\d.\s]+(?:,[\d.\s]+)+")
_WORDS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_NOTHING = {"", "none", "null", "nil"}


def reason_of(text: str, error: str) -> str:
    """Return what to tell about an error of the parser in a text: the line, and what to write in it."""
    place, lines = _PLACE.search(error), text.rstrip().split("\n")
    if not place:
        return error
    number = min(int(place[1] or len(lines)), len(lines))
    line = lines[number - 1]
    if error.startswith(_TWICE):
        reason = f"{_short(line.strip())} is there for the second time"
    elif len(line) > _MAX_LINE:
        reason = ""
    else:
        reason = _about_signs(line) or _about_line(line) or _about_entry(line)
    if not reason and error.startswith(_OPEN):
        reason = "a list or table in brackets lacks a comma, or has no end"
    return f"line {number}: {reason or error[: place.start()]}"


def _about_signs(line: str) -> str:
    quote = _QUOTE.search(TEXTS.sub("", line))
    if quote:
        return about_quote(quote[0])
    unseen = _UNSEEN.search(line)
    if unseen:
        return f"it has a character that cannot be seen, U+{ord(unseen[0]):04X}; type it anew"
    if _BACKSLASH.search(line):
        return "a backslash in double quotes begins a sign of its own; write / for it, or put the text in single quotes"
    return ""


def _about_line(line: str) -> str:
    """Return what is wrong with a line that should be the name of a section or a remark."""
    remark, section = _REMARK.match(line), _SECTION.fullmatch(line)
    if remark:
        return _about_remark(remark[1])
    return f"write [{section[1]}] for a section, or {section[1]} = and its value" if section else ""


def _about_remark(sign: str) -> str:
    return f"a remark begins with #, not with {sign}"


def _about_entry(line: str) -> str:
    """Return what is wrong with a line that should be a name and its value."""
    entry = _ENTRY.fullmatch(line)
    if not entry:
        return ""
    name, equals, value = entry.groups()
    closed, word = _CLOSED.fullmatch(value), value.lower()
    if equals == ":":
        reason = f"write = for the colon after {_short(name)}"
    elif word in _NOTHING:
        reason = f"{_short(name)} has no value; give it one, or leave the line out"
    elif word in _WORDS:
        reason = f"write {_WORDS[word]} for {value}"
    elif closed:
        reason = f"nothing may stand behind a value; take the {closed[1]} away"
    else:
        reason = _about_value(value)
    return reason


def _about_value(value: str) -> str:
    if reason := numbers.comma_reason(value):
        return reason
    if remark := _REMARK_BEHIND.fullmatch(value):
        return _about_remark(remark[1])
    if _LIST.fullmatch(value):
        return f"put {_short(value)} in brackets, [ and ]"
    if _INNER_QUOTE.fullmatch(value):
        return "a text ends at the next quote like its first; put it in the other kind of quotes, or in three"
    return f"put {_short(value)} in single quotes" if value[0] not in "\"'[{" else ""


def _short(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
