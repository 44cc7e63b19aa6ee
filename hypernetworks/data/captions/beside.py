"""Caption files beside pictures: whatever case their names are in, with or without the ending of the picture."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ...base.outside import is_file


class _Folder(NamedTuple):
    """The files of a folder.

    Attributes:
        path: the folder; None where it can be listed.
        names: as they are, by what they are in any case.
        others: names without an ending of those that are no caption files, by what those are in any case.
    """

    path: Path | None
    names: dict[str, list[str]]
    others: dict[str, set[str]]

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return name in self.names.get(_folded(name), ()) or (self.path is not None and is_file(self.path / name))

    def in_another_case(self, base: str, extension: str) -> str:
        """Return the name of the one file that this name in another case can mean; empty where there is none."""
        names = self.names.get(_folded(base + extension), [])
        if len(names) != 1:
            return ""
        is_of_other = not names[0].startswith(base) and len(self.others.get(_folded(base), ())) > 1
        return "" if is_of_other else names[0]


class Neighbours:
    """The files beside pictures; each folder is listed once."""

    def __init__(self, extensions: Iterable[str] = ()) -> None:
        """Remember the endings of caption files, so that they can be told from other files."""
        self._extensions = tuple(map(_folded, extensions))
        self._folders: dict[Path, _Folder] = {}

    def captions(self, picture: Path, extensions: Sequence[str]) -> list[Path]:
        """Return the caption files that fit a picture, the one that counts first.

        Of `cat.png` these are, for each ending in its order, `cat.txt` and `cat.png.txt`, and where there is neither,
        those names in another case or another form of Unicode. A name in another case counts only where no other file
        of that name could be meant, and no other picture.
        """
        folder = self._of(picture.parent)
        bases = list(dict.fromkeys((picture.stem, picture.name)))
        found: list[str] = []
        for extension in extensions:
            fits = [name for base in bases if folder.has(name := base + extension)]
            found += fits or filter(None, (folder.in_another_case(base, extension) for base in bases))
        return [picture.with_name(name) for name in dict.fromkeys(found)]

    def files(self, folder: Path) -> list[Path]:
        """Return the files of a folder that have an ending of caption files."""
        listed = self._of(folder).names.items()
        return [folder / name for folded, names in listed if folded.endswith(self._extensions) for name in names]

    def _of(self, folder: Path) -> _Folder:
        if folder not in self._folders:
            self._folders[folder] = self._listed(folder)
        return self._folders[folder]

    def _listed(self, folder: Path) -> _Folder:
        found = _Folder(None, {}, {})
        try:
            with os.scandir(folder) as entries:
                names = sorted(one.name for one in entries if not one.name.startswith(".") and _is_file(one))
        except OSError:  # it can be entered and not listed: names are tried one by one
            return _Folder(folder, {}, {})
        for name in names:
            folded = _folded(name)
            found.names.setdefault(folded, []).append(name)
            if not folded.endswith(self._extensions or ("\0",)):
                for base in {Path(name).stem, name}:
                    found.others.setdefault(_folded(base), set()).add(base)
        return found


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a file, or a link that leads to none: that is named when it is read."""
    try:
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir())
    except OSError:  # a link in a circle
        return True


def _folded(name: str) -> str:
    """Return a name in one case and one form of Unicode: macOS takes letters apart that others write as one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
