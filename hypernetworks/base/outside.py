"""Texts and paths from outside, within bounds that real ones never reach and that are checked before the work."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .disk import open_regular
from .encodings import UnfitTextError, decode
from .names import printable

MAX_TEXT_BYTES = 4 << 20
_MAX_DEPTH = 64
_MAX_DIGITS = 400
_MAX_SHOWN = 120
#: Texts and comments, an unfinished one up to its end, so that no sign is looked at twice.
_JSON_TEXTS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_LONG_NUMBER = re.compile(rf"(?<![0-9A-Fa-f_])[0-9A-Fa-f_]{{{_MAX_DIGITS}}}")
#: Which of these ends a text cannot be told, so they are named and not read.
PAGE_QUOTES = "“”„‟‘’‚‛«»「」『』＂＇｀`´"
_PAGE_QUOTE = re.compile(f"[{PAGE_QUOTES}]")
_ESCAPE = re.compile(r"Invalid \\\w* ?escape: line (\d+)")
_BRACKET = re.compile(r"[\[\]{}]")


def read_bytes(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: it cannot be read.
        UnfitTextError: it is longer than `most_bytes`.
    """
    with open_regular(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise UnfitTextError(f"it is larger than {most_bytes:,} bytes")
    return data


def read_text(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a regular file, without a byte order mark; see `decode` for what it may be written in.

    Raises:
        OSError: it cannot be read.
        UnfitTextError: it is longer than `most_bytes`, or in an encoding that cannot be told for certain.
    """
    return decode(read_bytes(path, most_bytes))


def read_json(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> Any:
    """Return the value of a JSON file in which no key is there twice.

    Raises:
        OSError: it cannot be read.
        UnfitTextError: it is longer than `most_bytes`, or no such text; see `parse_json`.
    """
    return parse_json(read_text(path, most_bytes), object_pairs_hook=unique_keys)


def parse_json(text: str, **how: Any) -> Any:
    """Return the value of a JSON text; raises UnfitTextError, also for excessive nesting and huge numbers.

    Args:
        how: further arguments of `json.loads`.
    """
    bare = _JSON_TEXTS.sub(lambda found: "s" + "\n" * found[0].count("\n"), text)
    check_form(bare)
    try:
        return parsed(lambda: json.loads(text, **how))
    except UnfitTextError as error:
        if place := _ESCAPE.match(str(error)):
            reason = f"line {place[1]}: a backslash in double quotes begins a sign of its own; write / for it"
            raise UnfitTextError(reason) from error
        if quote := _PAGE_QUOTE.search(bare):
            line = bare.count("\n", 0, quote.start()) + 1
            raise UnfitTextError(f"line {line}: {about_quote(quote[0])}") from error
        raise


def about_quote(quote: str) -> str:
    """Return what to tell about a quote outside of all texts."""
    return f'the quote {quote} is of a web page or a word processor; write "'


def is_file(path: Path) -> bool:
    """Tell whether `path` is a file; False also for a name that the system refuses, such as one that is too long."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Tell whether `path` is a folder; False also for a name that the system refuses."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def resolved(path: Path) -> Path:
    """Return the path made absolute, links followed where the system can."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # a name that no file has, or links in a circle
        return path.absolute()


def reason_of(error: OSError | ValueError) -> str:
    """Return why a file cannot be read."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def shown_path(path: Path) -> str:
    """Return a path for a sentence, cut where it is long."""
    text = printable(str(path))
    return text if len(text) <= _MAX_SHOWN * 2 else f"{text[: _MAX_SHOWN * 2]}..."


def shown_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a file for a sentence."""
    return printable(Path(path).name)


def shown(value: Any) -> str:
    """Return a value from outside for a sentence, cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or excessive nesting
        return f"a {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs, for `json.loads`; raises UnfitTextError for a key that is there twice."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise UnfitTextError(f"it has a key twice, {shown(key)}")
        values[key] = value
    return values


def check_form(bare: str) -> None:
    """Raise UnfitTextError for what no parser should be given; `bare` is without its quoted texts."""
    if _LONG_NUMBER.search(bare):
        raise UnfitTextError(f"it has a number of {_MAX_DIGITS} digits or more")
    depth = 0
    for match in _BRACKET.finditer(bare):
        depth += 1 if match[0] in "[{" else -1
        if depth > _MAX_DEPTH:
            raise UnfitTextError("it is nested too deeply")


def parsed(parse: Callable[[], Any]) -> Any:
    """Return what a parser returns; raises UnfitTextError for what it refuses."""
    try:
        return parse()
    except RecursionError as error:
        raise UnfitTextError("it is nested too deeply") from error
    except ValueError as error:
        raise UnfitTextError(str(error)) from error
