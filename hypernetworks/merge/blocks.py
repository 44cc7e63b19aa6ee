"""Weights of single blocks as text, such as `768.k=0.5, v=0.2`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ..base.errors import SettingsError
from .inputs import MAX_WEIGHT
from .methods import METHODS

FIELD = "block_weights"
_PAIR = 2
_BLOCK = re.compile(r"(?:(\d{1,6})(?:\.[kv])?|[kv])", re.ASCII)


def parse(text: str, method: str, count: int, widths: Sequence[int]) -> dict[str, tuple[float, ...]]:
    """Read the weights of single blocks as `Options` takes them, one for each network.

    Pieces stand between commas: a block (`k`, `v`, a width, or both as `768.k`), `=`, and numbers with `/` between
    them. Where all networks have weights there is one number for each, or with two networks the share of the second;
    where the others' differences are added to the first, one for all of them or one for each; else `m` alone.

    Args:
        method: its name in the registry.
        count: how many networks there are.
        widths: their attention widths.

    Raises:
        SettingsError: a piece that is wrong; names it.
    """
    found: dict[str, tuple[float, ...]] = {}
    for piece in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        block, equals, numbers = (part.strip() for part in piece.partition("="))
        if not equals:
            raise _wrong(piece, "has no =; write a block and its weight, such as 768.k=0.5")
        _check_block(block, widths)
        if block in found:
            raise _wrong(block, "is there twice")
        found[block] = _weights(piece, [_number(piece, part) for part in numbers.split("/")], method, count)
    return found


def weights_role(method: str) -> str:
    """Tell what weights mean to a method, as `methods.Method.weights` tells; all count for the exact ones."""
    return METHODS[method].weights if method in METHODS else "all"


def _check_block(block: str, widths: Sequence[int]) -> None:
    match = _BLOCK.fullmatch(block)
    if match is None:
        raise _wrong(block, "is no block; a block is k, v, a width such as 768, or both such as 768.k")
    if match[1] and int(match[1]) not in widths:
        raise _wrong(block, f"has a width that none of the networks has; they have {', '.join(map(str, widths))}")
    if match[1] and match[1].startswith("0"):
        raise _wrong(block, "is no width; leave the zeros out")


def _weights(piece: str, numbers: list[float], method: str, count: int) -> tuple[float, ...]:
    role = weights_role(method)
    if role == "difference":
        if len(numbers) != 1:
            raise _wrong(piece, "needs one number, the multiplier m of the block")
        return tuple((1.0, numbers[0], 1.0, 1.0)[:count])
    if role == "from base":
        if len(numbers) not in (1, count - 1):
            several = f", or {count - 1} numbers with / between them" if count > _PAIR else ""
            raise _wrong(piece, f"needs one number for the differences from the first network{several}")
        return (1.0, *(numbers * (count - 1) if len(numbers) == 1 else numbers))
    if len(numbers) == 1 and count == _PAIR and method != "exact_sequence":
        return (1 - numbers[0], numbers[0])
    if len(numbers) != count:
        raise _wrong(piece, f"needs {count} numbers with / between them, one for each network")
    return tuple(numbers)


def _number(piece: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _wrong(piece, f"has {text.strip()!r} in place of a number") from None
    if not math.isfinite(value) or abs(value) > MAX_WEIGHT:
        raise _wrong(piece, f"has {text.strip()}, and a weight is at most {MAX_WEIGHT} in size")
    return value


def _wrong(piece: str, reason: str) -> SettingsError:
    return SettingsError(FIELD, f"{piece[:60]!r} {reason}")
