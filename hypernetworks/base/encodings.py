"""Texts from outside as bytes: what editors, shells and other systems write besides UTF-8 is read, or named."""

from __future__ import annotations

import codecs
import importlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: What stands at the start of a text and tells how it is written; that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
#: Encodings of one language that have no mark, with the words of a sentence; of two that fit, the first is likelier.
PAGES = {
    "cp932": "Japanese text in Shift-JIS",
    "gb18030": "Chinese text in GBK",
    "big5": "Chinese text in Big5",
    "euc_jp": "Japanese text in EUC-JP",
    "cp949": "Korean text in CP949",
    "cp1251": "Cyrillic text in Windows-1251",
    "cp1252": "Western text in Windows-1252",
}
#: How often characters of a text of that language have one of these first bytes; in Japanese texts many are kana. In
#: pages of single letters a byte is a character.
_USUAL: dict[str, tuple[tuple[float, frozenset[int]], ...]] = {
    "cp932": ((0.3, frozenset((0x82, 0x83))), (0.7, frozenset((0x81, 0x84, *range(0x88, 0x98))))),
    "gb18030": ((1.0, frozenset((*range(0xA1, 0xA4), *range(0xB0, 0xD8)))),),
    "big5": ((1.0, frozenset(range(0xA1, 0xC7))),),
    "euc_jp": ((0.3, frozenset((0xA4, 0xA5))), (0.7, frozenset((0xA1, 0xA3, *range(0xB0, 0xD0))))),
    "cp949": ((1.0, frozenset((*range(0xA1, 0xA4), *range(0xB0, 0xC9)))),),
    "cp1251": ((1.0, frozenset((0xA8, 0xB8, *range(0xC0, 0x100)))),),
    "cp1252": (
        (1.0, frozenset((*range(0x91, 0x95), 0x9C, *range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0xF8, 0x100)))),
    ),
}
#: Second bytes of a character, in pages that have them.
_SECONDS = {"cp932": 188, "gb18030": 94, "big5": 157, "euc_jp": 94, "cp949": 94}
#: The share of characters that are not usual, and of those among them that are one of a kind.
_RARE = 0.02
_MOST_BYTES_OF_ONE = 128
#: Where more of the characters are rare than this share, nothing is certain.
_MOST_UNUSUAL = 0.2
#: Where the second of two pages is this many times less likely, the first one is certain.
_CERTAIN = math.log(1000)
_JIS = (b"\x1b$B", b"\x1b$@", b"\x1b(J")
_PAIR = 2
_LOOKED_AT = 20_000
#: In UTF-16 without a mark, NUL is mostly the first or mostly the second byte of a pair, and not rare.
_NUL_RATIO, _NUL_EVERY = 4, 10


class UnfitTextError(ValueError):
    """A text is not what it should be; the message is the reason, without the name of its file."""


class EncodingError(UnfitTextError):
    """Bytes are no text that can be read for certain.

    Attributes:
        likely: codecs in which they would be a text, the likeliest first.
    """

    def __init__(self, reason: str, likely: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.likely = likely


def decode(data: bytes) -> str:
    """Return the text of bytes in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        EncodingError: they are in something else; the message tells what it may be and what to do.
    """
    mark, codec = form_of(data)
    try:
        text = data[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        if mark:
            raise EncodingError(f"its byte order mark is that of {codec.upper()}, and it is damaged") from error
        raise _unmarked(data, error) from error
    # A mark may be there twice where texts were joined, and DOS ends a text with Ctrl-Z.
    text = text.lstrip("\ufeff").removesuffix("\x1a")
    if "\0" in text:
        raise _with_nul(data)
    if any(mark in data for mark in _JIS):
        raise EncodingError("it is not UTF-8 but Japanese text in JIS; save it as UTF-8", ("iso2022_jp",))
    return text


def form_of(data: bytes) -> tuple[bytes, str]:
    """Return the byte order mark of a text, empty where it has none, and the codec that it stands for."""
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    return mark, _MARKS.get(mark, "utf-8")


def likely(data: bytes) -> tuple[str, ...]:
    """Return those of `PAGES` in which the bytes would be a text, the likeliest first."""
    return ranked([data])[0]


def can_tell() -> bool:
    """Tell whether charset-normalizer is installed; without it, which the WebUI brings along, nothing is recognised."""
    try:
        importlib.import_module("charset_normalizer")
    except ImportError:
        return False
    return True


def ranked(texts: Sequence[bytes]) -> tuple[tuple[str, ...], bool]:
    """Return those of `PAGES` in which all of the texts can be written, the likeliest first.

    Returns:
        The codecs, and whether the first one is far more likely than the others.
    """
    if not can_tell():
        return (), False
    detector = importlib.import_module("charset_normalizer")
    whole = b"\n".join(texts)
    part = whole[:_LOOKED_AT].rpartition(b"\n")[0] if len(whole) > _LOOKED_AT else whole
    found = {match.encoding for match in detector.from_bytes(part or whole[:_LOOKED_AT], cp_isolation=list(PAGES))}
    fits = {codec: _fit(texts, codec) for codec in PAGES}
    # What the library may not see in a short text, or where words of ASCII stand close to the others.
    found.update(codec for codec in _SECONDS if fits[codec].unusual <= _MOST_UNUSUAL)
    fitting = [codec for codec in PAGES if codec in found and fits[codec].likelihood > -math.inf]
    fitting.sort(key=lambda codec: -fits[codec].likelihood)
    if not fitting or fits[fitting[0]].unusual > _MOST_UNUSUAL:
        return tuple(fitting), False
    is_certain = len(fitting) == 1 or fits[fitting[0]].likelihood - fits[fitting[1]].likelihood > _CERTAIN
    return tuple(fitting), is_certain


class _Fit(NamedTuple):
    """How well texts fit to a codec.

    Attributes:
        likelihood: the logarithm of how likely a text in it is made of these bytes, as far as they are not ASCII.
        unusual: the share of characters beyond ASCII that are rare in texts of its language.
    """

    likelihood: float
    unusual: float


def _fit(texts: Iterable[bytes], codec: str) -> _Fit:
    """Return how well texts fit to a codec.

    Every usual character of the codec's language counts as likely as any other: a language of fewer characters is
    likelier than one of more that has them all.
    """
    try:
        signs = Counter("".join(data.decode(codec) for data in texts))
    except UnicodeDecodeError:
        return _Fit(-math.inf, 1.0)
    if not all(sign.isprintable() or sign.isspace() for sign in signs):
        return _Fit(-math.inf, 1.0)
    length, seconds = (_PAIR, _SECONDS[codec]) if codec in _SECONDS else (1, 1)
    counts = Counter({sign.encode(codec): count for sign, count in signs.items() if not sign.isascii()})
    total, unusual = 0.0, 0
    for code, count in counts.items():
        share = next((share / len(first) for share, first in _USUAL[codec] if code[0] in first), 0.0)
        if share and len(code) == length:
            total += count * math.log((1 - _RARE) * share / seconds)
        else:
            total += count * (math.log(_RARE) - len(code) * math.log(_MOST_BYTES_OF_ONE))
            unusual += count
    return _Fit(total, unusual / max(1, counts.total()))


def is_doubtful(data: bytes, codec: str) -> bool:
    """Tell whether bytes that are UTF-8 may be so by chance, where others beside them are in `codec`.

    Two bytes of a Chinese, Japanese or Korean character may be one letter in UTF-8; more of them hardly ever are text.
    """
    if codec not in _SECONDS or form_of(data)[0] or data.isascii():
        return False
    is_short = all(len(sign.encode()) <= _PAIR for sign in data.decode("utf-8", "replace"))
    return is_short and codec in likely(data)


def _unmarked(data: bytes, error: UnicodeDecodeError) -> EncodingError:
    found = () if b"\0" in data else likely(data)
    if found:
        return EncodingError(f"it is not UTF-8; it looks like {PAGES[found[0]]}; save it as UTF-8", found)
    if b"\0" in data:
        return _with_nul(data)
    return EncodingError(f"it is not UTF-8 text ({error.reason} at byte {error.start:,}); save it as UTF-8")


def _with_nul(data: bytes) -> EncodingError:
    """Return the error for bytes with NUL, which in UTF-16 is the first or second byte of each ASCII character."""
    first, second = data[::2].count(0), data[1::2].count(0)
    codec = "utf-16-le" if second > first else "utf-16-be"
    most, least = max(first, second), min(first, second)
    if len(data) % 2 or most < max(_NUL_RATIO * least, len(data) // _NUL_EVERY, 2):
        return EncodingError("it has the character NUL in it, so it is no text")
    return EncodingError(f"it looks like {codec[:6].upper()} without a byte order mark; save it as UTF-8", (codec,))
