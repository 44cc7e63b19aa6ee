"""Numbers as people type them: with full-width digits and signs, as percentages, in lists; a decimal comma is told.

Every number that a person may have typed is read here, so that the same text means the same number everywhere.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

from .errors import NotFiniteError, NumberError
from .outside import shown

#: What no setting reaches; a larger number could not even be shown.
_MOST_BITS = 64
#: From it on a number with a point or an exponent may be another than the whole number that somebody wrote.
_FIRST_INEXACT = 2**53

#: What East Asian and Arabic keyboards and word processors type for the signs of ASCII; each stands for one character.
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SIGNS = {
    " ": "\u3000\u00a0",
    ",": "、､﹐﹑،٬",
    ".": "。｡﹒٫",
    ":": "∶﹕",
    ";": "﹔؛",
    "+": "﹢",
    "-": "\u2212\u2010\u2011\u2012\u2013\u2014\u2015\u30fc\uff70\ufe63",  # minus, hyphens, dashes, long vowel marks
    "%": "٪﹪",
    "0": "〇",
}
_PLAIN = _WIDE | {ord(wide): sign for sign, several in _SIGNS.items() for wide in several}
#: What is copied with a number from a web page or a chat, and not seen: byte order marks, joiners, marks of direction.
_UNSEEN = dict.fromkeys(
    map(ord, "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2066\u2069\u202a\u202c")
)
#: A text in quotes; one without an end goes to the end, so that no sign is looked at twice.
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?", re.DOTALL)
_COMMA = re.compile(r"([+-]?\d+),(\d+(?:e[+-]?\d+)?)", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.]\d{3})+")
_VALUE = re.compile(r"[=:]\s*(?:([+-]?\d+,\d+(?:[eE][+-]?\d+)?)(?![\w.])|[(\[]([\d\s.,;eE+-]*)[)\]])")
_LIST_COMMA = re.compile(r"[，、､﹐﹑،]")
_BY = re.compile(r"\d+(?: ?[xX×✕*] ?\d+)+")
_REST_OF_THOUSANDS = re.compile(r"0\d\d")
_BLANK_COMMA = re.compile(r" , |, | ,")
#: A number in running text that went through `plain`.
FORM = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?")


class Typed(float):
    """A number in a file, with the text that somebody typed: a name such as `1.10` is not `1.1`.

    Attributes:
        typed: the text.
    """

    typed: str

    def __new__(cls, typed: str) -> Typed:
        """Return the number that a text spells; raises ValueError where it spells none."""
        number = super().__new__(cls, typed)
        number.typed = typed
        return number


def plain(text: str) -> str:
    """Return `text`, which holds only numbers and signs, with ASCII in place of full-width and similar characters.

    Each character becomes one, so that positions stay.
    """
    return text.translate(_PLAIN)


def bare(text: str) -> str:
    """Return what `plain` does, without what is around a number and not seen."""
    return plain(text.translate(_UNSEEN)).strip()


def plain_outside_quotes(text: str) -> str:
    """Return `text` as `plain` does, but with everything in quotes as it is."""
    pieces, start = [], 0
    for quoted in _QUOTED.finditer(text):
        pieces += [plain(text[start : quoted.start()]), quoted.group()]
        start = quoted.end()
    return "".join([*pieces, plain(text[start:])])


def read(value: Any) -> float:
    """Return the finite number that `value` is or spells; `60%` is 0.6.

    Raises:
        NotFiniteError: it is infinite, NaN or a truth value.
        NumberError: it is none, or so small that it would be 0; the reason tells how to write one with a comma.
    """
    text = bare(value) if isinstance(value, str) else value
    share = 100 if isinstance(text, str) and text.endswith("%") else 1
    try:
        number = float(text.removesuffix("%") if isinstance(text, str) else text)
    except OverflowError:
        raise NotFiniteError(f"must be a number that is not so large, not {_shown(value)}") from None
    except (TypeError, ValueError):
        raise NumberError(comma_reason(value) or f"must be a number, not {_shown(value)}") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise NotFiniteError(f"must be a finite number, not {_shown(value)}")
    if number / share == 0 and _is_not_zero(getattr(value, "typed", text)):
        raise NumberError(f"must be 0, or a number that is not so small, not {_shown(getattr(value, 'typed', value))}")
    return number / share


def _is_not_zero(typed: Any) -> bool:
    """Tell whether a text has a digit other than 0 before its exponent, so that it is too small where it reads as 0."""
    return isinstance(typed, str) and any(unicodedata.decimal(sign, 0) for sign in re.split("[eE]", typed)[0])


def read_whole(value: Any) -> int:
    """Return the whole number that `value` is or spells.

    Raises:
        NumberError: it is none, or could mean thousands or a fraction (`1.000`).
    """
    text = bare(value) if isinstance(value, str) else value
    if isinstance(text, (int, str)) and not isinstance(text, bool):
        try:
            # Not converted through float, which holds whole numbers only up to 2**53; seeds go to 2**63.
            return _of_size(int(text))
        except NumberError:
            raise
        except ValueError:
            pass
    number = read(value)
    if number != int(number) or (isinstance(text, str) and (_THOUSANDS.fullmatch(text) or text.endswith("%"))):
        raise NumberError(f"must be a whole number, not {_shown(value)}")
    whole = _of_size(int(number))
    if abs(whole) >= _FIRST_INEXACT:
        raise NumberError(f"must be written with all its digits and without a point, not {_shown(value)}")
    return whole


def in_full(number: float) -> str:
    """Return a number with the digits that tell it from its neighbours: `4294967296`, `0.001`, `1e+99`."""
    is_whole = isinstance(number, int) and number.bit_length() <= _MOST_BITS
    return str(number) if is_whole else f"{number:.15g}"


def _of_size(number: int) -> int:
    if number.bit_length() > _MOST_BITS:
        raise NumberError("must be a number that is not so large")
    return number


def split(text: str) -> list[str]:
    """Return the pieces of a list of numbers, which commas, semicolons or blanks separate; or the x of a size.

    Raises:
        NumberError: it has commas with and without a blank, so that some may be meant as decimal points; or nothing
            between two of them.
    """
    # Nobody types a full-width comma for a decimal point.
    inner = " ".join(bare(_LIST_COMMA.sub(", ", text)).strip("()[]{}, \t\r\n").split())
    if _BY.fullmatch(inner):
        pieces = re.split(r"[xX×✕*]", inner)
    elif ";" in inner:
        pieces = inner.split(";")
    elif _BLANK_COMMA.search(inner):
        pieces = _BLANK_COMMA.split(inner)
    else:
        pieces = inner.split() if " " in inner else inner.split(",")
    for before, piece in zip(["", *pieces], pieces, strict=False):
        in_two = f"{before.strip()},{piece.strip()}" if _REST_OF_THOUSANDS.fullmatch(piece.strip()) else ""
        reason = comma_reason(piece.strip()) or comma_reason(in_two)
        if reason:
            raise NumberError(reason)
    if inner and not all(piece.strip() for piece in pieces):
        raise NumberError("has two commas with no number between them")
    return [piece.strip() for piece in pieces if piece.strip()]


def comma_reason(value: Any) -> str:
    """Return what to tell about a number with a comma; empty where `value` is none."""
    thousands = thousands_reason(value)
    if thousands:
        return thousands
    text = bare(value) if isinstance(value, str) else ""
    found = _COMMA.fullmatch(text.removesuffix("%").rstrip())
    return f"write a point for the comma in {shown(value.strip())}, as in {text.replace(',', '.')}" if found else ""


def thousands_reason(value: Any) -> str:
    """Return what to tell about a whole number with commas between its thousands; empty where `value` is none."""
    text = bare(value) if isinstance(value, str) else ""
    if "," not in text or "." in text or not _THOUSANDS.fullmatch(text):
        return ""
    return f"leave out the comma in {shown(value.strip())}, as in {text.replace(',', '')}"


def check_pairs(text: str) -> None:
    """Raise NumberError for a decimal comma in `key=value` or `key: value` pairs, outside of quotes."""
    for value, inner in _VALUE.findall(_QUOTED.sub("''", text)):
        reason = comma_reason(value)
        if reason:
            raise NumberError(reason)
        split(inner)


def _shown(value: Any) -> str:
    return "empty" if value is None or value == "" else shown(value)
