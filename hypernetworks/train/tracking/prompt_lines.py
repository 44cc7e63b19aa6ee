"""Lines of prompt files, kohya's (`a cat --w 512 --n bad`) and the WebUI's (`--prompt "a cat" --steps 20`)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from .prompt_settings import KOHYA_FLAGS, PROMPT, PromptError, is_known, plain_name, takes_number

_MOST_CHARACTERS = 100_000
#: What stands for a dash where text is corrected automatically or typed on an East Asian keyboard.
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d\uff70\ufe63"
#: Into one of these, two dashes are corrected.
_LONG = "\u2013\u2014\u2015"
_NAME = r"\w(?:[\w＿-]{0,40}\w)?"
_FLAG = re.compile(rf"(?<![{_DASHES}])([{_DASHES}]{{1,9}})({_NAME})(?![{_DASHES}\w＿])")
_TOKEN = re.compile(rf"([{_DASHES}]{{1,9}})({_NAME})(?:=(.*))?", re.DOTALL)
_NUMBER = re.compile(r"[\s=:：]+[+-−－]?[\d０-９]")
#: How infotexts of pictures go on behind the prompt.
_NEGATIVE = re.compile(r"(?<!\w)negative prompt\s*[:：]", re.IGNORECASE)
_VALUES = re.compile(r"steps\s*[:：]\s*\d+\s*[,，]", re.IGNORECASE)
_TEXT_LETTERS = ("n", "ss")
_STOPS = ",，、。;；"
_QUOTES = str.maketrans(dict.fromkeys("“”„＂", '"'))


def split(line: str) -> list[tuple[str, str]]:
    """Return the names and values in a line, in its order; the words before the first flag are `prompt`.

    A name is known or stands behind two dashes of ASCII and a blank; other dashes belong to the words.

    Raises:
        PromptError: a flag is unknown or misspelt, a quote has no end, or it is a line of an infotext.
    """
    if len(line) > _MOST_CHARACTERS:
        raise PromptError(f"it is longer than {_MOST_CHARACTERS:,} characters")
    if found_negative := _NEGATIVE.search(line):
        raise PromptError(f"write --n for {found_negative[0]} on the line of its prompt")
    if _VALUES.match(line):
        raise PromptError("it has the values of an infotext; write them as flags, such as --s 20")
    first = _FLAG.match(line)
    if first and _is_flag(line, first) and plain_name(first[2]) not in KOHYA_FLAGS:
        return list(_quoted(line))
    flags = [match for match in _FLAG.finditer(line) if _is_flag(line, match)]
    ends = [*(match.start() for match in flags), len(line)]
    words = line[: ends[0]].strip()
    found = [(PROMPT.field, words)] if words else []
    for match, end in zip(flags, ends[1:], strict=True):
        found.append((match[2], _unquoted(line[match.end() : end].strip().lstrip("=:：").lstrip())))
    return found


def flags(prompt: str) -> list[str]:
    """Return the flags of lines that stand in a text which is a prompt as a whole."""
    several = (match for match in _FLAG.finditer(prompt[:_MOST_CHARACTERS]) if len(match[1]) > 1)
    return [match[0] for match in several if is_known(plain_name(match[2])) and _is_flag(prompt, match)]


def _is_flag(line: str, match: re.Match[str]) -> bool:
    """Tell whether dashes and a name are a flag; raises PromptError for one that is unknown or has one dash."""
    dashes, typed = match[1], match[2]
    name = plain_name(typed)
    before = line[: match.start()][-1:]
    is_apart = before.isspace() or not before
    is_double = len(dashes) > 1 or dashes in _LONG
    if not is_known(name):
        if is_apart and len(dashes) > 1 and set(dashes) == {"-"}:
            raise PromptError(f"there is no flag --{typed}")
        return False
    has_number = takes_number(name) and _NUMBER.match(line, match.end()) is not None
    if is_double:
        return is_apart or before in _STOPS or has_number
    if is_apart and (has_number or name in _TEXT_LETTERS):
        single = dashes + typed
        raise PromptError(f"write --{typed} for {single}")
    return False


def _quoted(line: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a line of the WebUI's, in which quotes hold texts together."""
    try:
        tokens = shlex.split(line if '"' in line else line.translate(_QUOTES))
    except ValueError:
        raise PromptError("a quote in it has no end; put texts into double quotes") from None
    name, words = "", list[str]()
    for token in tokens:
        match = _TOKEN.fullmatch(token)
        if match is None or not _is_flag(token, match):
            words.append(token)
            continue
        if name:
            yield name, " ".join(words)
        name, words = match[2], [match[3]] if match[3] is not None else []
    yield name, " ".join(words)


def _unquoted(value: str) -> str:
    """Return a value without the quotes around it."""
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]
    return value[1:-1] if is_quoted else value
