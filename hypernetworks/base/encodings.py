"""Texts from outside as bytes: what editors, shells and other systems write besides UTF-8 is read, or named."""

from __future__ import annotations

import codecs
import importlib

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
#: First bytes of the characters that texts of that language are made of; the others are rare in it.
_USUAL = {
    "cp932": (*range(0x81, 0x85), *range(0x88, 0x98)),
    "gb18030": (*range(0xA1, 0xA4), *range(0xB0, 0xD8)),
    "big5": tuple(range(0xA1, 0xC7)),
    "euc_jp": (*range(0xA1, 0xA6), *range(0xB0, 0xD0)),
    "cp949": (*range(0xA1, 0xA4), *range(0xB0, 0xC9)),
}
#: A page of single letters fits nearly every text.
_SHARE_OF_LETTERS = 0.3
_SHARE_OF_A_TEXT = 0.7
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
    try:
        detector = importlib.import_module("charset_normalizer")
    except ImportError:  # the WebUI brings it along; without it a text is refused without a guess
        return ()
    part = data[:_LOOKED_AT].rpartition(b"\n")[0] if len(data) > _LOOKED_AT else data
    found = [match.encoding for match in detector.from_bytes(part, cp_isolation=list(PAGES))]
    fitting = [codec for codec in PAGES if codec in found] or [codec for codec in _USUAL if _is_of(part, codec)]
    return tuple(sorted(fitting, key=lambda codec: -_usual_share(part, codec)))


def _is_of(data: bytes, codec: str) -> bool:
    """Tell whether the bytes are a text of the codec, mostly of usual characters: what the library may not see."""
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return _usual_share(data, codec) > _SHARE_OF_A_TEXT


def _usual_share(data: bytes, codec: str) -> float:
    """Return the share of characters beyond ASCII that are usual in texts of the codec's language."""
    if codec not in _USUAL:
        return _SHARE_OF_LETTERS
    characters = [one.encode(codec) for one in data.decode(codec, "ignore") if not one.isascii()]
    usual = sum(len(one) == _PAIR and one[0] in _USUAL[codec] for one in characters)
    return usual / max(1, len(characters))


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
