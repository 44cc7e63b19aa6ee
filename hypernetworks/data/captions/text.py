"""The text of a caption file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...base.encodings import PAGES, EncodingError, UnfitTextError, can_tell, decode, is_doubtful, ranked
from ...base.errors import DatasetError
from ...base.names import printable
from ...base.outside import read_bytes, reason_of, shown_name

#: Ten times what people write; longer ones would be cut into text for the encoder for minutes.
MAX_BYTES = 40_000
#: What no text has: UTF-16 without a mark has them instead of signs, and so has what is no text at all.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SHOWN_CHARACTERS = 20


class CaptionEncodingError(DatasetError):
    """A caption file is in an encoding that cannot be told from the file alone.

    Attributes:
        path: the file.
        data: its bytes.
        likely: codecs in which it would be a text, the likeliest first.
    """

    def __init__(self, path: Path, data: bytes, error: EncodingError) -> None:
        super().__init__(f"{shown_name(path)}: the caption cannot be read ({error})")
        self.path = path
        self.data = data
        self.likely = error.likely


class Foreign(NamedTuple):
    """What a caption file that is not in UTF-8 seems to be.

    Attributes:
        path: the file.
        codec: the encoding that it is in; empty where that is not certain.
        sentence: what is wrong with it, and what to do.
        likely: the encodings that it may be in, the likeliest first.
    """

    path: Path
    codec: str
    sentence: str
    likely: tuple[str, ...] = ()


def read_file(path: Path) -> str:
    """Return the text of a caption file.

    Raises:
        CaptionEncodingError: it is not in UTF-8, nor in UTF-16 or UTF-32 with a byte order mark.
        DatasetError: it cannot be read for another reason; names it.
    """
    try:
        data = read_bytes(path, MAX_BYTES)
    except (OSError, UnfitTextError) as error:
        raise DatasetError(f"{shown_name(path)}: the caption cannot be read ({reason_of(error)})") from error
    try:
        text = decode(data)
    except EncodingError as error:
        raise CaptionEncodingError(path, data, error) from error
    # The end of a text on old systems, and marks that are left where texts were put together.
    text = text.removesuffix("\x1a").replace("\ufeff", "")
    found = _CONTROLS.search(text)
    if found is not None:
        raise DatasetError(
            f"{shown_name(path)}: the caption cannot be read (it has the control character U+{ord(found[0]):04X} in "
            "it, so it is no text, or in an encoding that cannot be told)"
        )
    return text


def judged(errors: Sequence[CaptionEncodingError]) -> Mapping[Path, Foreign]:
    """Return what the files of one folder seem to be: short texts can be told only together.

    Where no encoding fits all of them, each is judged by itself.
    """
    plain = [one for one in errors if not set(one.likely) - set(PAGES)]
    # UTF-16 without a mark and JIS are told by their bytes.
    marked = {one.likely for one in errors if set(one.likely) - set(PAGES)}
    together, is_certain = ranked([one.data for one in plain])
    if len(marked) == 1 and not is_certain and all(_fits(one.data, next(iter(marked))[0]) for one in plain):
        together, is_certain = next(iter(marked)), True
    found = {}
    for one in errors:
        codecs, certain = (together, is_certain) if together else ranked([one.data])
        if one not in plain:
            codecs, certain = one.likely, True
        found[one.path] = _foreign(one, codecs, certain)
    return found


def doubt(path: Path, beside: Foreign) -> Foreign | None:
    """Return what a caption file that was read as UTF-8 may be, where one beside it is in another encoding."""
    data = read_bytes(path, MAX_BYTES)
    likely = tuple(codec for codec in beside.likely[:2] if is_doubtful(data, codec))
    if not likely:
        return None
    read, others = _start(data.decode()), _names(beside.likely)
    reason = f"it is “{read}” in UTF-8, but files beside it are {others}; save it as UTF-8"
    sentence = f"{shown_name(path)}: it is not certain how to read the caption ({reason})"
    return Foreign(path, beside.codec if beside.codec in likely else "", sentence, likely)


def _fits(data: bytes, codec: str) -> bool:
    try:
        return all(sign.isprintable() or sign.isspace() for sign in data.decode(codec))
    except UnicodeDecodeError:
        return False


def _foreign(error: CaptionEncodingError, codecs: Sequence[str], is_certain: bool) -> Foreign:
    if not codecs:
        wanted = "" if can_tell() else "; with charset-normalizer installed it could be recognised"
        return Foreign(error.path, "", f"{error}{wanted}")
    if is_certain:
        start = _start(error.data.decode(codecs[0], "replace"))
        reason = f"it is not UTF-8 but {_names(codecs[:1])}: “{start}”; save it as UTF-8"
    else:
        reason = f"it is not UTF-8 and may be {_names(codecs)}; save it as UTF-8"
    sentence = f"{shown_name(error.path)}: the caption cannot be read ({reason})"
    return Foreign(
        error.path, codecs[0] if is_certain else "", sentence, tuple(codecs if not is_certain else codecs[:1])
    )


def _names(codecs: Sequence[str]) -> str:
    """Return the first two of some encodings in words."""
    names = [PAGES.get(codec, codec.upper().replace("_", "-")) for codec in codecs]
    return f"{names[0]} or {names[1]}" if len(names) > 1 else names[0]


def _start(text: str) -> str:
    return printable(" ".join(text.split())[:_SHOWN_CHARACTERS])
