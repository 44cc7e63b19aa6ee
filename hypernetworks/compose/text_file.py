"""The texts of `.hns` files, in the encodings that editors write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .. import filetypes
from ..base.encodings import PAGES, EncodingError, UnfitTextError, decode
from ..base.errors import CompositionError
from ..base.outside import read_bytes, reason_of
from . import parse
from .nodes import MAX_LENGTH

_MAX_BYTES = MAX_LENGTH * 4


def read(path: Path, is_known: Callable[[str], bool]) -> str:
    """Return the text of a file.

    The original read a file in the encoding of its system, which on Japanese and Chinese Windows is not UTF-8. Such a
    text is so short that nothing but its names tells the encoding: it is the one in which all of them are known.

    Args:
        is_known: tells whether there is a network or a composition of a name.

    Raises:
        CompositionError: the file cannot be read, is something else, or is not UTF-8 and its names are known in no
            other encoding.
    """
    try:
        data = read_bytes(path, _MAX_BYTES)
    except (OSError, UnfitTextError) as error:
        raise _unreadable(path, error) from error
    try:
        text = decode(data)
    except EncodingError as error:
        other = _fitting(data, error.likely, is_known)
        if other is None:
            raise _unreadable(path, error) from error
        return other
    if _fits(text, is_known):
        return text
    # Two characters of GBK may be two of UTF-8 as well.
    other = _fitting(data, (), is_known)
    if other is None:
        _check_kind(path, text)
    return other or text


def _fitting(data: bytes, likely: tuple[str, ...], is_known: Callable[[str], bool]) -> str | None:
    """Return the text in the first encoding in which it fits; None where there is none."""
    for codec in (*likely, *PAGES):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if _fits(text, is_known):
            return text
    return None


def _fits(text: str, is_known: Callable[[str], bool]) -> bool:
    """Tell whether a text is a composition, and all of its names beyond ASCII are known."""
    try:
        names = parse(text).names
    except CompositionError:
        return False
    return all(name.isascii() or is_known(name) for name in names)


def _check_kind(path: Path, text: str) -> None:
    """Raise CompositionError for a text that is something else, such as a web page."""
    try:
        parse(text)
    except CompositionError as error:
        told = filetypes.recognise_path(path, may_be_text=True)
        if told:
            raise CompositionError(told) from error


def _unreadable(path: Path, error: OSError | UnfitTextError) -> CompositionError:
    told = filetypes.recognise_path(path, may_be_text=True)
    if told:
        return CompositionError(told)
    return CompositionError(f"{path.name} cannot be read: {reason_of(error)}")
