"""Patch set: the host's check of `.pt` files knows the members that newer versions of torch write.

It compares the names in the zip file with a list of the time of torch 2.1, and takes all others for an attack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..patching import Patch, PatchSet

#: Two numbers, a word and a hash, each read as text by torch and by nothing else. No code can be in them.
_HARMLESS = re.compile(r"[^/]+/(?:\.format_version|\.storage_alignment|byteorder|\.data/serialization_id)")


def _make_check(original: Callable[..., Any]) -> Callable[..., Any]:
    def check_zip_filenames(filename: Any, names: Iterable[str]) -> Any:
        return original(filename, [name for name in names if not _HARMLESS.fullmatch(name)])

    return check_zip_filenames


patch_set = PatchSet(
    "unpickling",
    "Files written by newer PyTorch pass the safe unpickler",
    [Patch("modules.safe:check_zip_filenames", _make_check)],
    mends=True,
)
