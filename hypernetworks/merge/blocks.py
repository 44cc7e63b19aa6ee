"""Weights of single blocks as text, such as `768.k=0.5, v=0.2`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ..base import numbers
from ..base.errors import MergeError, NotFiniteError, NumberError, SettingsError
from ..base.outside import shown
from .inputs import MAX_WEIGHT
from .method import METHODS

FIELD = "block_weights"
_MOST_PIECES = 1000
_BLOCK = re.compile(r"(?:(\d{1,6})(?:\.[kv])?|[kv])", re.ASCII)


def parse(text: str, method: str, count: int, widths: Sequence[int]) -> dict[str, tuple[float, ...]]:
    """Return the weights of single blocks in the form of `Options`, one for each network.

    Pieces are separated by commas: a block (`k`, `v`, a width, or both as `768.k`), `=`, and numbers separated by `/`;
    their number and meaning depend on the method's `weights`.

    Args:
        method: name of the method.
        count: number of networks.
        widths: their attention widths.

    Raises:
        SettingsError: a piece is wrong; names it.
    """
    weights = METHODS[method].weights
    found: dict[str, tuple[float, ...]] = {}
    before = ""
    pieces = [part for part in (part.strip() for part in re.split(r"[,;\n]", numbers.plain(text))) if part]
    if len(pieces) > _MOST_PIECES:
        raise SettingsError(FIELD, f"has more than {_MOST_PIECES} pieces")
    for piece in pieces:
        block, equals, given = (part.strip() for part in piece.partition("="))
        parts = [part.strip() for part in re.split("[=/]", piece)]
        reason = numbers.comma_reason(f"{before},{parts[0]}")
        if reason and not equals:
            raise SettingsError(FIELD, reason)
        before = parts[-1]
        if not equals:
            raise _wrong(piece, "has no =; write a block and its weight, such as 768.k=0.5")
        _check_block(block, widths)
        if block in found:
            raise _wrong(block, "is there twice")
        try:
            found[block] = weights.of_block([_number(piece, part) for part in given.split("/")], count)
        except MergeError as error:
            raise _wrong(piece, str(error)) from error
    return found


def _check_block(block: str, widths: Sequence[int]) -> None:
    match = _BLOCK.fullmatch(block)
    if match is None:
        raise _wrong(block, "is no block; a block is k, v, a width such as 768, or both such as 768.k")
    if match[1] and int(match[1]) not in widths:
        raise _wrong(block, f"has a width that none of the networks has; they have {', '.join(map(str, widths))}")
    if match[1] and match[1].startswith("0"):
        raise _wrong(block, "is no width; leave the zeros out")


def _number(piece: str, text: str) -> float:
    try:
        value = numbers.read(text)
    except NotFiniteError:
        value = math.inf
    except NumberError:
        raise _wrong(piece, f"has {shown(text.strip())} in place of a number") from None
    if abs(value) > MAX_WEIGHT:
        raise _wrong(piece, f"has {text.strip()[:40]}, and a weight is at most {MAX_WEIGHT} in size")
    return value


def _wrong(piece: str, reason: str) -> SettingsError:
    return SettingsError(FIELD, f"{piece[:60]!r} {reason}")
