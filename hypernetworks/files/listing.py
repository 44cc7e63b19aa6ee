"""Names for all networks of a folder: those that the host lists, and those that it does not."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import files
from ..base.disk import walk
from ..base.errors import HypernetworkFileError
from ..base.names import printable
from .edit import CARDS, STATES

#: A composition is listed like a network; its text names the networks it is made of.
COMPOSITION_SUFFIX = ".hns"

#: In 2022 the WebUI listed networks with the start of a hash.
_OF_2022 = re.compile(r"(.+)\(([0-9a-f]{8})\)", re.DOTALL)
_UNLIKE = re.compile(r"[\W_]+")
#: The name that means "no network" to the host.
_NONE = "None"


def apart(name: str) -> tuple[str, str]:
    """Return a name of 2022 such as `night(9f86d081)` as name and hash; the hash of another one is empty."""
    match = _OF_2022.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def find(listed: Mapping[str, str], name: str) -> str | None:
    """Return the path of the network that `name` means; None where there is none."""
    return listed.get(meant(listed, name))


def meant(listed: Mapping[str, str], name: str) -> str:
    """Return the listed name that `name` means, behind which there may be its file's ending or the hash of 2022.

    Returns:
        `name` itself where nothing is listed that it could mean.
    """
    if name in listed:
        return name
    without_hash, _ = apart(name)
    stem, dot, ending = name.rpartition(".")
    if dot and Path(listed.get(stem, "")).suffix.lower() == f".{ending.lower()}":
        return stem
    return without_hash if without_hash in listed else name


def is_network(path: str | os.PathLike[str]) -> bool:
    """Tell whether a listed file is to hold one network, and not a composition."""
    return Path(path).suffix.lower() in files.SUFFIXES


def is_composition(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is to hold a composition."""
    return Path(path).suffix.lower() == COMPOSITION_SUFFIX


def instead(folder: str | os.PathLike[str], name: str) -> str:
    """Return what is said of a file below `folder` that is not listed, but may be the network `name`.

    Returns:
        What it is and what to do, such as "night.zip: it is a zip archive ..."; empty where there is no such file.
    """
    wanted, _ = apart(name.lower())
    if is_network(wanted) or is_composition(wanted):
        wanted = wanted.rpartition(".")[0]
    for path in _files(Path(folder)):
        below = path.relative_to(folder).as_posix().lower()
        ending = next(
            (full.removeprefix(wanted) for full in (below, path.name.lower()) if full.startswith(wanted)), "-"
        )
        is_beside = ending in CARDS or ending.endswith(STATES)
        if ending[:1] in ("", ".") and not (is_network(path) or is_composition(path) or is_beside):
            return _told(path)
    return ""


def _told(path: Path) -> str:
    try:
        form = files.read_content(path).form
    except HypernetworkFileError as reason:
        return str(reason)
    ending = ".safetensors" if form == "safetensors" else ".pt"
    return f"{printable(path.name)} is a hypernetwork; let its name end in {ending}"


def alike(listed: Mapping[str, str], name: str) -> list[str]:
    """Return the listed names that differ from `name` in case, width, blanks and other signs alone."""
    letters = _letters(name)
    return [one for one in listed if letters and _letters(one) == letters]


def _letters(name: str) -> str:
    return _UNLIKE.sub("", unicodedata.normalize("NFKC", apart(name)[0]).casefold())


def complete(found: Mapping[str, str], folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return the name and path of every `.pt`, `.safetensors` and `.hns` below `folder`, in the order of the paths.

    The networks that the host found keep the names it gave them. Another one is called by its file name without the
    suffix; where that name is taken, by its path below `folder`, such as `styles/night.pt` or `night.safetensors`.
    What a page cannot show of a name is replaced. Not listed are folders, and what programs leave behind.

    Args:
        found: name to path, as the host lists the folder.
    """
    networks = _networks(Path(folder))
    known = {_key(path) for path in networks}
    # A path that is not known leads to a folder, or by a link to a network that is known under its own path.
    names = {
        printable(name): path
        for name, path in found.items()
        if _key(path) in known or not Path(path).is_relative_to(folder)
    }
    listed = {_key(path) for path in names.values()}
    told_apart = []
    for path in networks:
        if _key(path) in listed:
            continue
        if printable(path.stem) in names:
            told_apart.append(path)
        else:
            names[printable(path.stem)] = str(path)
    for path in told_apart:
        name = printable(path.relative_to(folder).as_posix())
        names[name if name not in names else f"./{name}"] = str(path)
    return dict(sorted(names.items(), key=lambda item: str(item[1]).lower()))


def _networks(folder: Path) -> list[Path]:
    networks = [path for path in _files(folder) if is_network(path) or is_composition(path)]
    return sorted((path for path in networks if path.stem != _NONE), key=lambda path: str(path).lower())


def _files(folder: Path) -> Sequence[Path]:
    try:
        return walk(folder).files
    except OSError:  # a folder that is not there has none
        return ()


def _key(path: str | os.PathLike[str]) -> str:
    return os.path.normcase(Path(path).absolute())
