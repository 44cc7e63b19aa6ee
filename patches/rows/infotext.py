"""The hypernetworks in the infotext of pictures, and remarks when it is read back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...hypernetworks import compose
from ...hypernetworks.base.errors import CompositionError
from ...hypernetworks.pages.sentences import refused
from ..model.loaded import Loaded, LoadedComposition
from . import entries
from .entries import Row

_HASHES = "Hypernetwork hashes"
_HASH_LENGTH = 10
_ONE_HASH = re.compile(rf"(.+?): ([0-9a-f]{{{_HASH_LENGTH}}})(?:, |$)")


def write_rows(p: Any, used: Iterable[Row]) -> None:
    """Write the rows into the infotext of the pictures that `p` makes, instead of those of an earlier job."""
    params = p.extra_generation_params
    for key in [key for key in params if entries.is_written_by_us(key)]:
        del params[key]
    params.update(entries.write(used))


def note_hashes(p: Any) -> None:
    """Write the names of the loaded files with the start of their SHA-256, where that is known, into the infotext."""
    from modules import shared  # noqa: PLC0415

    params = getattr(p, "extra_generation_params", None)
    if not isinstance(params, dict):
        return
    names = dict.fromkeys(name for each in shared.loaded_hypernetworks for name in _names(each))
    known = {name: digest for name in names if (digest := short_hash(name))}
    if getattr(p, "is_hr_pass", False):  # the second pass may have tags of its own
        known = dict(_ONE_HASH.findall(params.get(_HASHES, ""))) | known
    params.pop(_HASHES, None)
    if known:
        params[_HASHES] = ", ".join(f"{name}: {digest}" for name, digest in known.items())


def short_hash(name: str) -> str | None:
    """Return the start of a listed file's SHA-256; None without such a file, and where hashing is switched off."""
    from modules import hashes, shared  # noqa: PLC0415

    path = shared.hypernetworks.get(name)
    try:
        digest = hashes.sha256(path, f"hypernet/{name}") if path else None
    except OSError:  # it was deleted since the list was made
        return None
    return digest[:_HASH_LENGTH] if digest else None


def strip_tags(_infotext: str, params: dict[str, Any]) -> None:
    """Remove the tags that the rows will add again from a prompt that was read from an infotext."""
    found = entries.from_infotext(params) or []
    for key in ("Prompt", "Hires prompt"):
        if params.get(key):
            params[key] = entries.without_tags(params[key], found)


def remarks(params: Mapping[str, Any]) -> str:
    """Return HTML with a sentence for each file that is missing or differs from that of the picture; else empty."""
    return refused(list(_sentences(params)))


def _sentences(params: Mapping[str, Any]) -> Iterator[str]:
    from modules import shared  # noqa: PLC0415

    wanted = dict(_ONE_HASH.findall(str(params.get(_HASHES, ""))))
    chosen = [name for row in entries.from_infotext(params) or [] for name in _names_in(row.name)]
    if any(name not in shared.hypernetworks for name in [*chosen, *wanted]):
        shared.reload_hypernetworks()
    for name in dict.fromkeys([*chosen, *wanted]):
        if name not in shared.hypernetworks:
            yield f"Hypernetwork {name}, which this picture was made with, is not in your folder."
        elif name in wanted and (here := short_hash(name)) not in (None, wanted[name]):
            yield (
                f"Hypernetwork {name} is another file than the one this picture was made with: its hash is {here}, "
                f"the picture's {wanted[name]}."
            )


def _names(loaded: Any) -> list[str]:
    """Return the listed names of all files that `loaded` was read from."""
    if isinstance(loaded, LoadedComposition):
        inner = loaded.composition
        return [entries.named_by(loaded.name), *inner.resolve, *inner.names]
    return [entries.named_by(loaded.name)] if isinstance(loaded, Loaded) else []


def _names_in(name: str) -> list[str]:
    """Return the names that a row needs: its own, or those in its composition."""
    from modules import shared  # noqa: PLC0415

    if name in shared.hypernetworks:
        return [name]
    try:
        return list(compose.parse(name).names)
    except CompositionError:
        return [name]
