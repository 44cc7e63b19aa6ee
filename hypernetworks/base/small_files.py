"""Reads small files that somebody may have damaged: a limited number of bytes, and strict JSON."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from .forms import UnfitError


def read_bytes(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        UnfitError: it is no regular file, or larger than `max_bytes`.
        OSError: it is not there or cannot be read.
    """
    place = Path(path)
    status = place.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe could wait for ever
        raise UnfitError("it is no regular file")
    if status.st_size > max_bytes:
        raise UnfitError(f"it is larger than {max_bytes >> 20} MB")
    return place.read_bytes()


def parse_json(data: bytes) -> Any:
    """Return the value of JSON text in UTF-8.

    Raises:
        UnfitError: it is nested too deep, has a key twice or a number that is infinite or NaN, or is no JSON.
    """
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
        )
    except UnfitError:
        raise
    except (ValueError, RecursionError) as error:
        raise UnfitError(f"it is no JSON that can be read ({type(error).__name__})") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise UnfitError("it has a key twice")
    return values


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse_constant(text[:20])
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise UnfitError(f"it holds {name}, which is no finite number")
