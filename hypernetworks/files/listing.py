"""Names for all networks of a folder: those that the host lists, and those that it does not."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .. import files

#: A composition is listed like a network; its text names the networks it is made of.
COMPOSITION_SUFFIX = ".hns"

#: In 2022 the WebUI listed networks with the start of a hash.
_OF_2022 = re.compile(r"(.+)\(([0-9a-f]{8})\)", re.DOTALL)
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


def complete(found: Mapping[str, str], folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return the name and path of every `.pt`, `.safetensors` and `.hns` below `folder`, in the order of the paths.

    The networks that the host found keep the names it gave them. Another one is called by its file name without the
    suffix; where that name is taken, by its path below `folder`, such as `styles/night.pt` or `night.safetensors`.

    Args:
        found: name to path, as the host lists the folder.
    """
    names = dict(found)
    listed = {_key(path) for path in names.values()}
    others = [path for path in _networks(Path(folder)) if _key(path) not in listed]
    told_apart = []
    for path in others:
        if path.stem in names:
            told_apart.append(path)
        else:
            names[path.stem] = str(path)
    for path in told_apart:
        name = path.relative_to(folder).as_posix()
        names[name if name not in names else f"./{name}"] = str(path)
    return dict(sorted(names.items(), key=lambda item: str(item[1]).lower()))


def _networks(folder: Path) -> list[Path]:
    # As in the host's own list, links to folders are followed and names with a leading dot are skipped.
    below = os.walk(folder, followlinks=True)
    paths = []
    seen = set()
    for place, folders, names in below:
        real = Path(place).resolve()
        if real in seen:
            folders.clear()  # a link to a parent folder
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(place, name) for name in names if not name.startswith(".")]
    networks = [path for path in paths if path.suffix in (*files.SUFFIXES, COMPOSITION_SUFFIX) and path.stem != _NONE]
    return sorted(networks, key=lambda path: str(path).lower())


def _key(path: str | os.PathLike[str]) -> str:
    return os.path.normcase(Path(path).absolute())
