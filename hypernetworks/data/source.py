"""Where pictures come from, and what tells more about them. Each is one decorated function in the room `sources`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.options import Group
from ..base.registry import OwnOptions, Registry
from .subsets import Subset

#: The folds of the form that options of sources and of descriptions stand in.
FOLDERS = Group("folders", "Folders, repeats and weights")
CAPTIONS = Group("captions", "Captions")

Find = Callable[[Any, Subset], Iterable[Subset]]
"""Takes the `DataSettings` and the subset that all others are made from; returns the subsets of a source."""


@dataclass
class Source:
    """A source of pictures, and the decorator of the function that finds their subsets.

    Attributes:
        name: the setting that names the pictures; the source is used where that is not empty.
        order: position among the sources; pictures of smaller numbers come first.
        options: its settings, `name` among them.
        is_taught: whether its pictures are to be learned; others are for regularisation, or held out.
        is_held_out: whether its pictures are for the validation loss alone.
        names_paths: returns the files and folders that the file of this setting names, for a host that confines them.
        first: returns the first folder or file in the text of this setting, which names the dataset.
        subsets: the decorated function; raises SettingsError for what it cannot read.
    """

    name: str
    order: float
    options: OwnOptions = field(default_factory=dict)
    is_taught: bool = True
    is_held_out: bool = False
    names_paths: Callable[[Path], Iterable[Path]] = lambda _: ()
    first: Callable[[str], str] = str
    subsets: Find = field(init=False)

    def __call__(self, subsets: Find) -> Find:
        """Add the source to `SOURCES`."""
        self.subsets = subsets
        SOURCES.add(self.name, self, self.order)
        return subsets


source = Source
SOURCES: Registry[Source] = Registry(room=f"{__package__}.sources")
"""All sources by the setting that names them."""


Describe = Callable[[Any, Subset], Subset]
"""Puts what it tells into the subset that all others are made from; takes the `DataSettings` too."""


@dataclass
class Description:
    """A file that tells about pictures found elsewhere, and the decorator of the function that reads it.

    Attributes:
        name: the setting that names the file; it counts where that is not empty.
        order: smaller ones are read first.
        options: its settings, `name` among them.
        describe: the decorated function; raises SettingsError for what it cannot read.
    """

    name: str
    order: float
    options: OwnOptions
    describe: Describe = field(init=False)

    def __call__(self, describe: Describe) -> Describe:
        """Take the description into `DESCRIPTIONS`."""
        self.describe = describe
        DESCRIPTIONS.add(self.name, self, self.order)
        return describe


description = Description
DESCRIPTIONS: Registry[Description] = Registry(room=f"{__package__}.sources")
"""All descriptions by the setting that names them."""


def described(settings: Any, base: Subset) -> Subset:
    """Return the subset with all that the files of the settings tell about its pictures."""
    for one in DESCRIPTIONS.values():
        if getattr(settings, one.name):
            base = one.describe(settings, base)
    return base


def of_held_out() -> list[str]:
    """Return the names of the settings that name pictures for the validation loss alone."""
    return [one.name for one in SOURCES.values() if one.is_held_out]


def named_subsets(settings: Any, base: Subset) -> list[Subset]:
    """Return the subsets of all sources that the settings name.

    Raises:
        SettingsError: something cannot be read; names the field.
    """
    named = (one for one in SOURCES.values() if getattr(settings, one.name))
    return [subset for one in named for subset in one.subsets(settings, base)]
