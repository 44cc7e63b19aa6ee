"""The hypernetworks in the infotext of pictures, and remarks when it is read back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...hypernetworks import compose
from ...hypernetworks.base.errors import CompositionError
from ...hypernetworks.compose.nodes import spell
from ...hypernetworks.files import listing
from ...hypernetworks.pages.sentences import note, refused
from ..model.loaded import Loaded, LoadedComposition
from ..patching import switches
from . import entries, foreign, tags
from .entries import Row

_HASHES = "Hypernetwork hashes"
_HASH_LENGTH = 10
#: Where reading an infotext keeps what it could not read, for the remarks.
_UNREAD = "Hypernetwork remark"
_ONE_HASH = re.compile(rf"(.+?): ([0-9a-f]{{{foreign.OLD_DIGITS}}}|[0-9a-f]{{{_HASH_LENGTH}}})(?:, |$)")


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


def short_hash(name: str, digits: int = _HASH_LENGTH) -> str | None:
    """Return the start of a listed file's SHA-256; None without such a file, and where hashing is switched off.

    Args:
        digits: 10, or 8 for the hash of 2022.
    """
    from modules import hashes, shared  # noqa: PLC0415

    path = listing.find(shared.hypernetworks, name)
    try:
        if path and digits == foreign.OLD_DIGITS:
            return foreign.old_hash(path)
        digest = hashes.sha256(path, f"hypernet/{name}") if path else None
    except OSError:  # it was deleted since the list was made
        return None
    return digest[:_HASH_LENGTH] if digest else None


def strip_tags(text: str, params: dict[str, Any]) -> None:
    """Give what an infotext of any age says about hypernetworks our form; its prompt loses the tags of the rows."""
    from ..parts import text_files  # noqa: PLC0415 - needs the running host

    if not switches.is_on():
        return  # the rows will add none
    text_files.read_back(params)
    _take_foreign(text, params)
    found = entries.from_infotext(params) or []
    for key in ("Prompt", "Hires prompt"):
        if params.get(key):
            params[key] = entries.without_tags(params[key], found)


def _take_foreign(text: str, params: dict[str, Any]) -> None:
    """Add the rows of a picture that was not made with ours, unless its prompt names the networks itself."""
    from modules import shared  # noqa: PLC0415

    found = [one for one in foreign.find(text, params) if one.name]
    if not found or entries.from_infotext(params):
        return
    prompt = str(params.get("Prompt") or "")
    if "Hypernet" in params:
        before, _, after = prompt.rpartition(foreign.added_by_the_host(params))
        prompt = params["Prompt"] = before + after
    shared.reload_hypernetworks()
    rows: dict[str, Row] = {}
    digests: dict[str, str] = {}
    for one in found:
        name = foreign.listed_name(one, shared.hypernetworks, short_hash)
        if one.digest:
            digests.setdefault(name, one.digest)
        if Row(name).is_named_in(prompt) or Row(one.name).is_named_in(prompt):
            continue
        if one.strength is None:
            params[_UNREAD] = f"Hypernetwork {name} got no row: its strength in the infotext is no number."
        else:
            rows.setdefault(name, Row(name, one.strength))
    several = list(rows.values())
    params.update(entries.write(several[: entries.ROWS]))
    if several[entries.ROWS :]:
        params["Prompt"] = prompt + "".join(row.tag for row in several[entries.ROWS :])
    if digests:
        params.setdefault(_HASHES, ", ".join(f"{name}: {digest}" for name, digest in digests.items()))


def told(params: Mapping[str, Any]) -> str:
    """Return HTML that says what reading an infotext did to the rows, and the remarks; empty for a mere text."""
    rows = entries.from_infotext(params)
    if rows is None:
        return remarks(params)
    several = ", ".join(f"{row.name} ({spell(row.strength)})" for row in rows)
    done = f"Put into the rows: {several}." if rows else "The infotext has no hypernetwork for the rows."
    return note(done) + remarks(params)


def remarks(params: Mapping[str, Any]) -> str:
    """Return HTML with a sentence for each file that is missing or differs from that of the picture; else empty."""
    return refused(list(_sentences(params)))


def _sentences(params: Mapping[str, Any]) -> Iterator[str]:
    from modules import shared  # noqa: PLC0415

    from ..parts import text_files  # noqa: PLC0415

    yield from filter(None, [params.get(_UNREAD), *entries.unread(params), *text_files.remarks(params)])
    wanted = dict(_ONE_HASH.findall(str(params.get(_HASHES, ""))))
    tagged = [name for key in ("Prompt", "Hires prompt") for name in tags.names(str(params.get(key) or ""))]
    used = [*(row.name for row in entries.from_infotext(params) or []), *map(entries.named_by, tagged)]
    chosen = [part for name in used for part in _names_in(name)]
    if any(not listing.find(shared.hypernetworks, name) for name in [*chosen, *wanted]):
        shared.reload_hypernetworks()
    for name in dict.fromkeys([*chosen, *wanted]):
        if not listing.find(shared.hypernetworks, name):
            yield f"Hypernetwork {name}, which this picture was made with, is not in your folder."
        elif name in wanted and (here := short_hash(name, len(wanted[name]))) not in (None, wanted[name]):
            yield (
                f"Hypernetwork {name} is another file than the one this picture was made with: its hash is {here}, "
                f"the picture's {wanted[name]}."
            )


def missing(name: str) -> list[str]:
    """Return the names that a row needs and the host does not list."""
    from modules import shared  # noqa: PLC0415

    return [each for each in _names_in(name) if not listing.find(shared.hypernetworks, each)]


def _names(loaded: Any) -> list[str]:
    """Return the listed names of all files that `loaded` was read from."""
    if isinstance(loaded, LoadedComposition):
        inner = loaded.composition
        return [entries.named_by(loaded.name), *inner.resolve, *inner.names]
    return [entries.named_by(loaded.name)] if isinstance(loaded, Loaded) else []


def _names_in(name: str) -> list[str]:
    """Return the names that a row needs: its own, or those in its composition."""
    from modules import shared  # noqa: PLC0415

    if listing.find(shared.hypernetworks, name):
        return [name]
    try:
        return list(compose.parse(name).names)
    except CompositionError:
        return [name]
