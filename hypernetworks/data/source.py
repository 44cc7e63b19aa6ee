"""Where pictures come from. Each source is one decorated function in a file of the room `sources`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.options import Group
from ..base.registry import OwnOptions, Registry
from .subsets import Subset

#: The fold of the form that options of sources stand in.
FOLDERS = Group("folders", "Folders, repeats and weights")

Find = Callable[[Any, Subset], Iterable[Subset]]
"""Gives the subsets of a source from the `DataSettings` and the subset that all others are made from."""


@dataclass
class Source:
    """A source of pictures, and the decorator of the function that finds their subsets.

    Attributes:
        name: the setting that names the pictures; the source counts where it is not empty.
        order: pictures of smaller ones come first.
        options: its settings, `name` among them.
        is_taught: whether its pictures are to be learned; others only keep the rest as it is.
        names_paths: the files and folders that the file of this setting names, for a host that confines them.
        first: the first folder or file in the text of this setting, which names the dataset.
        subsets: the decorated function; raises SettingsError for what it cannot read.
    """

    name: str
    order: float
    options: OwnOptions = field(default_factory=dict)
    is_taught: bool = True
    names_paths: Callable[[Path], Iterable[Path]] = lambda _: ()
    first: Callable[[str], str] = str
    subsets: Find = field(init=False)

    def __call__(self, subsets: Find) -> Find:
        """Take the source into `SOURCES`."""
        self.subsets = subsets
        SOURCES.add(self.name, self, self.order)
        return subsets


source = Source
SOURCES: Registry[Source] = Registry(room=f"{__package__}.sources")
"""All sources by the setting that names them."""
