"""The hypernetworks in infotexts of other ages and programs, as rows.

Before prompts had tags, the WebUI wrote `Hypernet: night, Hypernet hash: ..., Hypernet strength: 0.6`; in 2022 the
name had a hash behind it, `night(9f86d081)`. Civitai writes `Civitai resources: [{"type": "hypernet", ...}]`, others
`Hashes: {"hypernet:night": "..."}`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from ...hypernetworks.base import numbers
from ...hypernetworks.base.errors import NumberError
from ...hypernetworks.files import listing

_KINDS = {"hypernet", "hypernetwork"}
#: Under which the WebUI, its offspring and Easy Diffusion have the name.
_KEYS = ("hypernet", "hypernetwork", "hypernetwork model")
#: Where the hash of 2022 lies in a file, and how many of its digits there are.
_OLD_START, _OLD_BYTES, OLD_DIGITS = 0x100000, 0x10000, 8
#: All files of less than a megabyte have it.
_OLD_OF_SMALL = hashlib.sha256().hexdigest()[:OLD_DIGITS]
_HASH = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]{2})?")
_MAX_CHARACTERS = 200_000


class Found(NamedTuple):
    """A hypernetwork in an infotext.

    Attributes:
        name: as the infotext has it.
        strength: 1 where the infotext has none, None where what it has is no number.
        digest: start of the hash of its file, of 8 digits in 2022 and of 10 later; empty where there is none.
        also: another name that its file may have.
    """

    name: str
    strength: float | None = 1.0
    digest: str = ""
    also: str = ""


def find(text: str, params: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the hypernetworks of an infotext that are not in our own form.

    Args:
        text: the infotext, in which the host does not read values in JSON.
        params: what the host read from it.
    """
    values = {key.lower(): value for key, value in params.items()}
    for key in _KEYS:
        name = str(values.get(key) or "").strip()
        if name not in ("", "None") and '":' not in name:  # which is a piece of a value in JSON
            _, of_2022 = listing.apart(name)
            strength = values.get(f"{key.removesuffix(' model')} strength")
            yield _found(name, strength, values.get(f"{key} hash") or of_2022)
    resources = _json(text, "Civitai resources")
    for one in resources if isinstance(resources, list) else ():
        if isinstance(one, dict) and _KINDS & {str(one.get("type")).lower(), *str(one.get("air")).lower().split(":")}:
            yield _of_civitai(one)
    hashes = _json(text, "Hashes")
    for key, digest in hashes.items() if isinstance(hashes, dict) else ():
        kind, colon, name = key.partition(":")
        if colon and kind.lower() in _KINDS:
            yield _found(name, None, digest)


def _of_civitai(resource: Mapping[str, Any]) -> Found:
    names = [resource.get(key) for key in ("modelName", "name", "modelVersionName", "air")]
    name, *others = [*filter(None, names), f"{resource.get('modelVersionId', '?')} of Civitai"]
    found = _found(name, resource.get("weight", resource.get("strength")), resource.get("hash"))
    return found._replace(also=str(next(iter(others), "")))


def added_by_the_host(params: Mapping[str, Any]) -> str:
    """Return the tag that the host adds to the prompt for the keys of 2022."""
    return f"<hypernet:{params.get('Hypernet')}:{params.get('Hypernet strength', '1.0')}>"


def listed_name(found: Found, listed: Mapping[str, str], hash_of: Callable[[str, int], str | None]) -> str:
    """Return the name under which the host lists the file: the same, that of the same hash, or one much like it.

    Args:
        hash_of: returns that many digits of the hash of a listed file.
    """
    name, _ = listing.apart(found.name)
    if found.name in listed or name in listed:
        return found.name if found.name in listed else name
    is_known = found.digest not in ("", _OLD_OF_SMALL)
    same = [one for one in listed if is_known and hash_of(one, len(found.digest)) == found.digest]
    names = (name, PureWindowsPath(name).name, found.also)  # that of a file in another folder, or of a version
    alike = (one for each in names for one in (listing.meant(listed, each), *listing.alike(listed, each)))
    return next((one for one in (*same, *alike) if one in listed), name)


def old_hash(path: str) -> str:
    """Return the hash of 2022 of a file, which looks at a small part of it; raises OSError."""
    with Path(path).open("rb") as file:
        file.seek(_OLD_START)
        return hashlib.sha256(file.read(_OLD_BYTES)).hexdigest()[:OLD_DIGITS]


def _found(name: Any, strength: Any, digest: Any) -> Found:
    try:
        number = 1.0 if strength is None else numbers.read(strength)
    except NumberError:
        number = None
    match = _HASH.match(str(digest or "").lower())
    return Found(str(name or "").strip(), number, match.group() if match else "")


def _json(text: str, key: str) -> Any:
    """Return the JSON value of a key in an infotext; None where there is none."""
    place = text.rfind(f"{key}: ", 0, _MAX_CHARACTERS)
    try:
        return json.JSONDecoder().raw_decode(text, place + len(key) + 2)[0] if place >= 0 else None
    except (ValueError, RecursionError):
        return None
